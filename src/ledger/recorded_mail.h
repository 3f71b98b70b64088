#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "ledger/distinct_addresses.h"
#include "ledger/known_domains.h"
#include "ledger/log_census.h"
#include "ledger/persistence.h"
#include "ledger/recorder.h"

namespace postern::ledger {

/// What the check says of a client.
struct Finding {
  std::string state;     ///< "pass", "no_ptr", ...
  std::string cause;     ///< what has to be mended, or the confirmed name, or why it was skipped
  bool refused = false;  ///< it would be answered 4xx or 5xx
  std::string override_name = {};  ///< the override that refuses it, or empty
};

/// What the ledger tells of one client that was found wanting.
struct RecordedClient {
  LoggedClient seen;           ///< `accepted`: messages that would have been refused
  std::uint64_t messages = 0;  ///< these, and those that were refused
  Finding finding;             ///< by its last refusal
  std::int64_t evidence = 0;   ///< of it
  /// When its name was confirmed and mail of it taken, the last time.
  std::optional<WallTime> confirmed;
};

/// What the ledger tells of the mail since some time; in a shape that an Impact is made of. Adds up
/// refusals in the order of their time. The recipients of one transaction are one message, and so
/// are all attempts of one deferral; a client that was answered before MAIL counts as one each
/// time.
class RecordedMail {
 public:
  static constexpr std::size_t clients_max = 1'000'000;
  static constexpr std::size_t counted_max = 4'000'000;  ///< messages, deferrals

  /// One row of the table of refusals.
  struct Row {
    WallTime time;
    std::uint64_t message = 0;  ///< Refusal::message
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
  /// What was refused for now, and what it has come to.
  void add(const Deferral& deferral, const Assessment& assessment) {
    persistence_.add(deferral, assessment);
  }

  [[nodiscard]] std::unordered_map<IpAddress, RecordedClient>& clients() { return clients_; }
  [[nodiscard]] const std::unordered_map<IpAddress, RecordedClient>& clients() const {
    return clients_;
  }
  [[nodiscard]] const PersistenceByClient& persistence() const { return persistence_; }

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
  [[nodiscard]] const DistinctAddresses& senders() const { return senders_; }
  [[nodiscard]] const DistinctAddresses& recipients() const { return recipients_; }
  /// Of the clients' senders.
  [[nodiscard]] KnownDomains& domains() { return domains_; }
  [[nodiscard]] const KnownDomains& domains() const { return domains_; }
  void set_end(WallTime now) { counts_.now = now; }

 private:
  template <typename T>
  using Set = boost::unordered_flat_set<T>;

  RecordedClient* client(const Row& row);
  bool begins_message(const Row& row);

  std::unordered_map<IpAddress, RecordedClient> clients_;
  Set<std::int64_t> deferrals_seen_;
  Set<std::uint64_t> messages_seen_;
  DistinctAddresses senders_;
  DistinctAddresses recipients_;
  KnownDomains domains_;
  PersistenceByClient persistence_;
  Counts counts_;
};

}  // namespace postern::ledger
