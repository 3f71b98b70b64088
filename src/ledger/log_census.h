#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ledger/distinct_addresses.h"
#include "ledger/tracker.h"
#include "maillog/entry.h"

namespace postern::ledger {

/// What a mail log tells of one client.
struct LoggedClient {
  static constexpr std::size_t examples_kept = 5;

  std::string name;  ///< that the log's server had confirmed; the last one
  std::string helo;
  std::uint64_t connections = 0;
  std::uint64_t accepted = 0;            ///< messages
  std::uint64_t refused_unknown_ip = 0;  ///< recipients, for the missing or unconfirmed name
  std::uint64_t refused_otherwise = 0;
  bool authenticated = false;  ///< at least once: a user's own program, not a server
  WallTime first;
  WallTime last;
  std::vector<std::string> senders;     ///< different ones, the first few
  std::vector<std::string> recipients;  ///< the same
};

/// Adds up what the entries of a log tell: of each client, and of each mail that the log's server
/// refused with 4xx because of the client's name. Bounded: what would be too much is counted only.
class LogCensus {
 public:
  static constexpr std::size_t clients_max = 1'000'000;
  static constexpr std::size_t messages_max = 200'000;  ///< on their way at the same time

  void add(const maillog::Entry& entry);

  [[nodiscard]] const std::unordered_map<IpAddress, LoggedClient>& clients() const {
    return clients_;
  }
  [[nodiscard]] const Tracker& refused() const { return refused_; }
  /// Of the messages that were accepted.
  [[nodiscard]] const DistinctAddresses& senders() const { return senders_; }
  [[nodiscard]] const DistinctAddresses& recipients() const { return recipients_; }

  struct Counts {
    std::uint64_t lines = 0;
    std::uint64_t unreadable = 0;  ///< no lines of a log
    std::uint64_t accepted = 0;    ///< messages from clients
    std::uint64_t clients_forgotten = 0;
    std::uint64_t refused_without_recipient = 0;  ///< for their name, and nobody knows which mail
    std::uint64_t would_be_refused = 0;           ///< warnings only
    WallTime first;
    WallTime last;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  /// A message between its arrival and its end in the log.
  struct Message {
    IpAddress client;
    std::string helo;
    std::string sender;
    bool sender_told = false;  ///< tells the null reverse path from one that no line told
    WallTime arrived;
    bool counted = false;
  };

  LoggedClient* client(const maillog::Entry& entry);
  void arrived(const maillog::Entry& entry);
  void refused(const maillog::Entry& entry);
  void took(const Message& message, std::string_view recipient);
  void count(Message& message);

  std::unordered_map<IpAddress, LoggedClient> clients_;
  std::unordered_map<std::string, Message> messages_;  ///< by queue id
  Tracker refused_;
  DistinctAddresses senders_;
  DistinctAddresses recipients_;
  Counts counts_;
};

}  // namespace postern::ledger
