#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ledger/log_census.h"
#include "ledger/recorder.h"

namespace postern::ledger {

/// What the check says of a client.
struct Finding {
  std::string state;     ///< "pass", "no_ptr", ...
  std::string cause;     ///< what has to be mended, or the confirmed name, or why it was skipped
  bool refused = false;  ///< it would be answered 4xx or 5xx
};

/// What the ledger tells of one client that was found wanting.
struct RecordedClient {
  LoggedClient seen;           ///< `accepted`: messages that would have been refused
  std::uint64_t messages = 0;  ///< these, and those that were refused
  Finding finding;             ///< by its last refusal
  std::int64_t evidence = 0;   ///< of it
  // From before, or beside.
  std::optional<WallTime> confirmed;     ///< when its name was, the last time
  std::uint64_t accepted_otherwise = 0;  ///< recipients of mail that nothing was wrong with
  std::string known_domain;              ///< of a sender, whose mail others bring, too
  std::string known_server;              ///< one of them: a confirmed name
};

/// What the ledger tells of the mail since some time; in a shape that an Impact is made of. Adds up
/// refusals in the order of their time. A transaction is not recorded as such: recipients of one
/// session, of one sender, that come within a second are one message.
class RecordedMail {
 public:
  static constexpr std::size_t clients_max = 1'000'000;
  static constexpr std::size_t counted_max = 4'000'000;  ///< different senders, or recipients

  /// One row of the table of refusals.
  struct Row {
    WallTime time;
    std::string_view case_id;
    IpAddress client;
    std::string_view helo;
    std::string_view sender;
    std::string_view recipient;
    std::string_view state;
    Effect effect = Effect::refused;
    std::int64_t evidence = 0;
    std::optional<std::int64_t> deferral;
  };
  void add(const Row& row);
  void add(Deferral deferral) { deferrals_.push_back(std::move(deferral)); }

  [[nodiscard]] std::unordered_map<IpAddress, RecordedClient>& clients() { return clients_; }
  [[nodiscard]] const std::unordered_map<IpAddress, RecordedClient>& clients() const {
    return clients_;
  }
  [[nodiscard]] const std::vector<Deferral>& deferrals() const { return deferrals_; }

  struct Counts {
    std::uint64_t recipients_refused = 0;
    std::uint64_t recipients_observed = 0;  ///< would have been refused
    std::uint64_t recipients_excused = 0;   ///< by overrides
    std::uint64_t clients_forgotten = 0;
    WallTime first;
    WallTime last;
    WallTime now;  ///< until when it was recorded
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::size_t senders() const { return senders_.size(); }
  [[nodiscard]] std::size_t recipients() const { return recipients_.size(); }
  void set_end(WallTime now) { counts_.now = now; }

 private:
  /// The message that a client sent last.
  struct LastMessage {
    WallTime time;
    std::size_t case_and_sender = 0;
    std::size_t recipient = 0;  ///< its first
  };

  RecordedClient* client(const Row& row);
  bool begins_message(const Row& row);

  std::unordered_map<IpAddress, RecordedClient> clients_;
  std::unordered_map<IpAddress, LastMessage> last_messages_;
  std::unordered_set<std::int64_t> deferrals_seen_;
  // Hashes, in lower case.
  std::unordered_set<std::size_t> senders_;
  std::unordered_set<std::size_t> recipients_;
  std::vector<Deferral> deferrals_;
  Counts counts_;
};

}  // namespace postern::ledger
