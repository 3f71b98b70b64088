#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "upstream/recognition.h"

namespace postern::ledger {

/// One recipient of one transaction of a client, and how it was answered. Its texts are another's,
/// which must stay meanwhile.
struct Attempt {
  WallTime time;
  IpAddress client;
  std::string_view helo;
  std::string_view sender;  ///< empty: the null reverse path
  std::string_view recipient;
  bool accepted = false;          ///< else answered 4xx
  bool refused_for_good = false;  ///< or 5xx
  upstream::Greeting greeting = upstream::Greeting::unknown;
};

/// A delivery that was answered 4xx, with all attempts that seem to belong to it: the same sender
/// and recipient, from the same network or with names of one domain in EHLO.
struct Deferral {
  static constexpr std::size_t attempts_kept = upstream::intervals_max + 1;
  static constexpr std::size_t addresses_kept = 16;

  std::string sender;
  std::string recipient;
  std::string helo;                                           ///< of the first attempt
  upstream::Greeting greeting = upstream::Greeting::unknown;  ///< EHLO, if it said that once
  std::vector<IpAddress> addresses;  ///< that tried, without repetition; the first `addresses_kept`
  std::vector<WallTime> attempts;    ///< refused; the first `attempts_kept`
  std::uint32_t attempts_count = 0;  ///< refused; all of one moment count as one
  WallTime last_attempt;             ///< refused
  std::optional<WallTime> accepted;
  IpAddress accepted_from;                   ///< when accepted
  std::optional<WallTime> refused_for_good;  ///< answered 5xx in the end

  /// Whether an answer has ended it.
  [[nodiscard]] bool is_answered() const { return accepted || refused_for_good; }
};

/// What it tells of the server that keeps the message.
upstream::Habits habits_of(const Deferral& deferral);

/// unknown-ip.md section 7: what became of it.
enum class Outcome : std::uint8_t {
  retrying,       ///< the upstream keeps it, as far as we can tell
  recovered,      ///< it was accepted later
  given_up,       ///< silent for longer than its waits, or answered 5xx: the upstream has given up
                  ///< and told its user
  never_retried,  ///< one attempt and no more: a spam tool's habit
};
std::string_view outcome_name(Outcome outcome);

struct Assessment {
  Outcome outcome = Outcome::retrying;
  upstream::Candidate upstream;  ///< who it seems to be
  upstream::Forecast forecast;   ///< of what is given up: when that was, at the latest
};

/// `now`: until when attempts would have been seen.
Assessment assess(const Deferral& deferral, WallTime now, const upstream::Profiles& profiles);

/// Whether the attempt is likely one of the same delivery, which had not come to its end before. To
/// be asked of those that were not answered yet, the newest first: of two messages under way
/// between the same two nobody can tell the attempts apart.
bool belongs_to(const Deferral& deferral, const Attempt& attempt,
                const upstream::Profiles& profiles);
/// Adds an attempt that belongs to it; seconds after the last one it is a part of that one.
/// Attempts may come out of order. False: nothing was new in it.
bool note(Deferral& deferral, const Attempt& attempt);
/// What a refused attempt begins that belongs to none.
Deferral deferral_of(const Attempt& first);

/// What the names that the servers of one pool give in EHLO have in common: "google.com" of
/// "mail-wm1-f50.google.com"; the whole name when that would be a top-level domain or no domain at
/// all ("example.com", "[192.0.2.1]"). Into `helo`, its case left as it is.
std::string_view pool_of(std::string_view helo);

/// Who shares an address's fate: 192.0.2.0/24, or the /64 of an IPv6 address.
IpNetwork network_of(const IpAddress& address);
/// Its first address, by which networks are told apart.
IpAddress network_base(const IpAddress& address);

}  // namespace postern::ledger
