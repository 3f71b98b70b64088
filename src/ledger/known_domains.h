#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "ledger/log_census.h"

namespace postern::ledger {

/// Finds servers with a confirmed name in the domain of a sender that others bring mail of, too.
/// A sender is what anybody can write: that says something for a client, and proves nothing.
class KnownDomains {
 public:
  struct Server {
    std::string domain;
    std::string name;
  };

  /// Of the senders that were kept as examples.
  void ask_about(const IpAddress& client, const LoggedClient& seen);
  /// A server that brought mail; after all that is asked.
  void add(std::string_view confirmed_name);
  /// One of those of another name than the client's own; nullptr: none.
  [[nodiscard]] const Server* server_for(const IpAddress& client) const;

 private:
  struct Asking {
    IpAddress client;
    std::string name;
  };
  std::unordered_map<std::string, std::vector<Asking>> asked_;  ///< by domain
  std::unordered_map<IpAddress, Server> found_;
};

}  // namespace postern::ledger
