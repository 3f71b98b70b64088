#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/time.h"
#include "dns/resolver.h"
#include "io/world.h"

namespace postern::policy {

enum class UnknownIpMode : std::uint8_t { off, observe, enforce };
enum class Action : std::uint8_t { accept, tag, reply_450, reply_451, reply_550 };
enum class ReplyStyle : std::uint8_t { postern, postfix };

/// The seven states of unknown-ip.md section 2.
enum class UnknownIpState : std::uint8_t {
  pass,
  no_ptr,
  bad_name,
  no_forward,
  mismatch,
  temp_error,
  skipped
};
std::string_view state_name(UnknownIpState state);

struct UnknownIpOptions {
  UnknownIpMode mode = UnknownIpMode::observe;
  ReplyStyle reply_style = ReplyStyle::postern;
  Duration deadline = std::chrono::seconds(8);
  bool check_private = false;
  std::vector<IpNetwork> exempt_networks;
  Action no_ptr = Action::reply_450;
  Action bad_name = Action::reply_450;
  Action no_forward = Action::reply_450;
  Action mismatch = Action::reply_450;
  Action temp_error = Action::reply_451;
  std::size_t cache_entries_max = 100'000;
  Duration negative_ttl_max = std::chrono::minutes(5);
  Duration undetermined_ttl = std::chrono::seconds(5);
};

/// What the check found about one client.
struct UnknownIpVerdict {
  UnknownIpState state = UnknownIpState::skipped;
  std::string
      skipped_because;  ///< "exempt network", "private address", "option off"; for skipped only
  auth::Iprev iprev;    ///< the lookups behind it
  Action action = Action::accept;  ///< what `enforce` does
  bool enforced = false;           ///< false: observe; the action is only recorded
  /// The reply to the peer, without CRLF: "450 4.7.25 ..."; empty unless the action is a reply.
  std::string reply;
  std::string case_id;  ///< stands in the reply and in the log; empty when nothing is refused
};

/// One client's check, under way or done. Shared by its session; may outlive the session.
class PendingCheck {
 public:
  virtual ~PendingCheck() = default;
  /// The verdict; waits for it until the check's own deadline at the longest. May be called again
  /// and again.
  virtual io::Task<const UnknownIpVerdict*> verdict() = 0;
  /// The verdict when it is there already, else nullptr.
  [[nodiscard]] virtual const UnknownIpVerdict* ready() const = 0;
};

/// The option "Reject unknown IP address". One for each shard; results are cached by address, and
/// lookups for one address under way at the same time are one lookup.
class UnknownIpCheck {
 public:
  UnknownIpCheck(const io::World& world, dns::Resolver& resolver, UnknownIpOptions options);
  ~UnknownIpCheck();
  /// Starts the check of a client that has just connected. Never waits.
  std::shared_ptr<PendingCheck> start(const IpAddress& client);
  /// Options for checks started from now on (reload).
  void set_options(UnknownIpOptions options);
  /// Ends lookups under way; their verdicts become temp_error. Before destruction.
  io::Task<> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace postern::policy
