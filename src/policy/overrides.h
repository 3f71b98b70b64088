#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/time.h"
#include "policy/action.h"

namespace postern::policy {

/// For some clients or mail another action than their state's. Every condition that is given has to
/// hold; one at least is given.
struct Override {
  std::optional<IpNetwork> network;  ///< of the client
  /// Domains: "example.com" is the domain alone, ".example.com" every name below it; lower case.
  std::string ptr_domain;     ///< of a confirmed name of the client's: never of one only claimed
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
  /// The client's lookups: it is confirmed or not, and by every name that has its address.
  const auth::Iprev& iprev;
  std::string_view sender_domain;     ///< lower case; empty: the null reverse path, or not known
  std::string_view recipient_domain;  ///< lower case; empty: not known
  WallTime now;
};

/// The overrides of a configuration, the most specific first: more conditions before fewer, then
/// the smaller network, then the longer domains: of the client's name, of the recipient, and last
/// of the sender, which anybody can write; of equals the first that was written. A value.
class Overrides {
 public:
  struct Found {
    const Override* rule = nullptr;  ///< the one that counts; nullptr when none does
    /// A milder one could have counted in its place: a name in its domain has no answer.
    bool is_uncertain = false;
  };

  Overrides() = default;
  explicit Overrides(std::vector<Override> overrides);

  /// Of a confirmed client a refusal counts only when it is by its network or name: by a sender or
  /// a recipient, it is for those whom the check objects to.
  [[nodiscard]] Found find(const OverrideFacts& facts) const;
  /// Whether it matters to one of them that this name is the client's.
  [[nodiscard]] bool depend_on(std::string_view name) const;
  [[nodiscard]] bool empty() const { return sorted_.empty(); }
  [[nodiscard]] const std::vector<Override>& all() const { return sorted_; }
  bool operator==(const Overrides&) const = default;

 private:
  std::vector<Override> sorted_;
};

}  // namespace postern::policy
