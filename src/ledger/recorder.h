#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/time.h"
#include "upstream/profile.h"

namespace postern::ledger {

/// What a refusal came to for the recipient.
enum class Effect : std::uint8_t {
  refused,       ///< answered 4xx or 5xx
  would_refuse,  ///< observed only: accepted
  excused,       ///< accepted all the same: an override says so, or the action is "tag"
};

/// One recipient of one transaction whose client's address was found wanting (unknown-ip.md
/// section 6).
struct Refusal {
  WallTime time;
  std::string case_id;
  IpAddress client;
  std::optional<IpAddress> via;  ///< the proxy or known host that brought the client
  upstream::Greeting greeting = upstream::Greeting::unknown;
  std::string helo;
  std::string sender;         ///< empty: the null reverse path, or not told yet
  std::string recipient;      ///< empty: the client was answered before it named one
  std::uint64_t message = 0;  ///< of begin_message(); 0: answered before MAIL
  std::string state;          ///< "no_ptr", ..., "temperror"
  std::string action;         ///< "accept", "tag", "450", "451", "550"
  Effect effect = Effect::refused;
  std::string reply;             ///< given, or what would have been given: one line
  std::string override_name;     ///< of the override that says the action; or empty
  std::string observed_because;  ///< why it was not enforced; or empty
  bool escalated = false;        ///< permanent since the DNS has said so for so long
  Duration latency{};            ///< from the connection to the verdict
  /// The lookups behind it; clients of one cached result share them. Never null.
  std::shared_ptr<const auth::Iprev> lookups;
};

/// One recipient of a message that was taken.
struct Acceptance {
  WallTime time;
  IpAddress client;
  upstream::Greeting greeting = upstream::Greeting::unknown;
  std::string helo;
  std::string confirmed_name;  ///< of the client, or empty
  std::string sender;
  std::string recipient;
};

/// Where sessions tell what became of their recipients. No call waits or fails: what cannot be kept
/// is counted by whoever keeps it. On the shard.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// A number for the mail transaction that begins, of which recipients are told: no other has it,
  /// also of another start of the server; never 0.
  virtual std::uint64_t begin_message() = 0;
  virtual void refused(Refusal refusal) = 0;
  /// After the commit that made the message ours.
  virtual void accepted(Acceptance acceptance) = 0;
};

}  // namespace postern::ledger
