#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "policy/action.h"

namespace postern::policy {

/// For some clients or mail another action than their state's. Every condition that is given has to
/// hold; one at least is given.
struct Override {
  std::optional<IpNetwork> network;  ///< of the client
  /// Domains: "example.com" is the domain alone, ".example.com" every name below it; lower case.
  std::string ptr_domain;     ///< of the client's confirmed name: never of one that is only claimed
  std::string sender_domain;  ///< of the reverse path, which anybody can write
  std::string recipient_domain;
  Action action = Action::accept;
  std::string comment;              ///< why, for people
  std::optional<WallTime> expires;  ///< from then on it is as if it were not there

  /// What it is called in the log: its comment, or its conditions.
  [[nodiscard]] std::string name() const;
  bool operator==(const Override&) const = default;
};

/// What is known of one recipient of a client's mail.
struct OverrideFacts {
  IpAddress client;
  std::string_view confirmed_name;    ///< empty: none
  std::string_view sender_domain;     ///< lower case; empty: the null reverse path
  std::string_view recipient_domain;  ///< lower case
  WallTime now;
};

/// The overrides of a configuration, the most specific first: more conditions before fewer, then
/// the smaller network, then the longer domains; of equals the first that was written. A value.
class Overrides {
 public:
  Overrides() = default;
  explicit Overrides(std::vector<Override> overrides);

  /// The one that counts; nullptr when none does.
  [[nodiscard]] const Override* find(const OverrideFacts& facts) const;
  [[nodiscard]] bool empty() const { return sorted_.empty(); }
  [[nodiscard]] const std::vector<Override>& all() const { return sorted_; }
  bool operator==(const Overrides&) const = default;

 private:
  std::vector<Override> sorted_;
};

}  // namespace postern::policy
