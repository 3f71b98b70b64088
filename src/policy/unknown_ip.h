#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/time.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "policy/action.h"
#include "policy/breaker_watch.h"
#include "policy/escalation.h"
#include "policy/overrides.h"
#include "policy/unknown_ip_metrics.h"

namespace postern::policy {

enum class UnknownIpMode : std::uint8_t { off, observe, enforce };
/// What is done about the host that gave a known host its mail.
enum class KnownHostsDecide : std::uint8_t {
  record,  ///< its check is only told
  refuse,  ///< its action is the reply to the message
};
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
/// "pass", "no_ptr", ... "temperror", "skipped", as configuration and log write them.
std::string_view state_name(UnknownIpState state);

/// What `unknown_ip` in the configuration sets.
struct UnknownIpOptions {
  UnknownIpMode mode = UnknownIpMode::observe;
  ReplyStyle reply_style = ReplyStyle::postern;
  Duration deadline = std::chrono::seconds(8);
  AnswerAt answer_at = AnswerAt::rcpt;
  bool check_private = false;
  std::vector<IpNetwork> exempt_networks;
  /// Upstream servers whom we trust: not checked themselves, while the host before them may be.
  std::vector<IpNetwork> known_hosts;
  KnownHostsDecide known_hosts_decide = KnownHostsDecide::record;
  Action no_ptr = Action::reply_450;
  Action bad_name = Action::reply_450;
  Action no_forward = Action::reply_450;
  Action mismatch = Action::reply_450;
  /// Never reply_550: a lookup without an answer is never a permanent refusal.
  Action temp_error = Action::reply_451;
  Overrides overrides;
  BreakerOptions breaker;
  EscalationOptions escalation;
  /// How long after its time a pass stands in for a lookup without an answer; 0: never.
  Duration stale_max = std::chrono::hours(24);
  std::size_t cache_entries_max = 100'000;
  Duration negative_ttl_max = std::chrono::minutes(5);
  Duration undetermined_ttl = std::chrono::seconds(5);
  Duration positive_ttl_max = std::chrono::hours(24);
};

/// Of a client that was not looked up.
std::shared_ptr<const auth::Iprev> no_lookups();

/// What the check found about one client.
struct UnknownIpVerdict {
  UnknownIpState state = UnknownIpState::skipped;
  std::string
      skipped_because;  ///< "known host", "private address", "option off", ...; for skipped only
  /// The lookups behind it. Never null; one object for all clients of one result, so that whoever
  /// keeps the evidence keeps a pointer.
  std::shared_ptr<const auth::Iprev> iprev = no_lookups();
  Action action = Action::accept;  ///< what `enforce` does
  bool enforced = false;           ///< false: observe; the action is only recorded
  /// Why it is only recorded although the mode is `enforce`: "breaker open"; else empty.
  std::string_view observed_because;
  bool stale = false;      ///< a pass of before, since the DNS gives no answer now
  bool escalated = false;  ///< the action is permanent since the DNS has said so for so long
  /// The reply to the peer, without CRLF: "450 4.7.25 ..."; empty unless the action is a reply.
  std::string reply;
  std::string case_id;  ///< stands in the reply and in the log; empty when nothing is refused
};

/// What an override makes of one recipient of a client's mail.
struct OverrideDecision {
  std::string name;  ///< Override::name()
  Action action = Action::accept;
  std::string case_id;  ///< stands in the reply; empty when nothing is refused
  std::string reply;    ///< as UnknownIpVerdict::reply
};

/// One client's check, under way or done, by the options that it was started with. Shared by its
/// session; may outlive the session, but not the UnknownIpCheck's world. Small while it waits: what
/// many clients share is held once.
class PendingCheck {
 public:
  virtual ~PendingCheck() = default;
  /// The verdict; waits for it until the check's own deadline at the longest. May be called again
  /// and again. The caller holds this object meanwhile, and as long as it reads the verdict.
  virtual io::Task<const UnknownIpVerdict*> verdict() = 0;
  /// The verdict when it is there already, else nullptr.
  [[nodiscard]] virtual const UnknownIpVerdict* ready() const = 0;
  /// Where a refusal is answered. What is not enforced is recorded at RCPT, where everything is
  /// known of the mail, so that nothing waits for the verdict before.
  [[nodiscard]] virtual AnswerAt answer_at() const = 0;
  /// What an override says, at this step, of mail from and to these domains (lower case; the null
  /// reverse path has none). Once the verdict is ready; of what is only observed, by what would be
  /// known where the option answers. Nothing of a client that was skipped. A lookup without an
  /// answer is never a permanent refusal here either.
  [[nodiscard]] virtual std::optional<OverrideDecision> override_for(
      AnswerAt step, std::string_view sender_domain, std::string_view recipient_domain) const;
  /// The verdict's own refusal, no override's, was answered, or when it is only observed would have
  /// been: that counts for escalation.
  virtual void note_refusal() {}
};

/// The option "Reject unknown IP address". One for each shard; results are cached by address, and
/// lookups for one address under way at the same time are one lookup. Bounds: cache_entries_max
/// results, checks_max checks under way (beyond it a check ends as temp_error at once),
/// escalation_clients_max clients whose refusals are counted, and as many whose observed ones are.
class UnknownIpCheck {
 public:
  /// A temp_error action of reply_550, which the configuration refuses, becomes reply_451.
  UnknownIpCheck(const io::World& world, dns::Resolver& resolver, UnknownIpOptions options);
  ~UnknownIpCheck();
  UnknownIpCheck(const UnknownIpCheck&) = delete;
  UnknownIpCheck& operator=(const UnknownIpCheck&) = delete;

  /// Starts the check of a client that has just connected. Never waits.
  /// `own` is the address of ours that it connected to, or empty when that is not known.
  std::shared_ptr<PendingCheck> start(const IpAddress& client, const IpAddress& own = {});
  /// Starts the check of the host that gave a known host the mail whose data have begun: sender and
  /// recipients are known, whatever answer_at is.
  std::shared_ptr<PendingCheck> start_hop(const IpAddress& hop, KnownHostsDecide decide);
  /// The check of a client that is not looked up, whatever its address is: skipped, accepted.
  /// `because` is "authenticated" and the like.
  static std::shared_ptr<PendingCheck> skipped(std::string because);
  /// What is done about the host before this client, when the client is a known host; nothing is
  /// while the option is off.
  [[nodiscard]] std::optional<KnownHostsDecide> known_host(const IpAddress& client) const;
  /// Whether a host that stands in a known host's trace is one of ours itself: a known host, or an
  /// address that is not checked for being private.
  [[nodiscard]] bool is_trusted_hop(const IpAddress& hop) const;
  /// Options for checks started from now on (reload). Results in the cache stay.
  void set_options(UnknownIpOptions options);
  /// Ends checks under way; their verdicts become temp_error at once, and so do later ones. Resumes
  /// when their lookups have ended too, so stop the resolver first to be quick. Before destruction.
  io::Task<> stop();

  /// While it is open, verdicts are as with `observe`; those that were given before stay.
  BreakerWatch& breaker();
  [[nodiscard]] const BreakerWatch& breaker() const;

  [[nodiscard]] std::size_t cached() const;
  [[nodiscard]] std::size_t under_way() const;
  [[nodiscard]] const UnknownIpMetrics& metrics() const;

  static constexpr std::size_t checks_max = 20'000;
  static constexpr std::size_t escalation_clients_max = 100'000;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// unknown-ip.md section 2: what the lookups mean.
UnknownIpState classify(const auth::Iprev& iprev);
/// What the sender's administrator has to mend, as it stands in the reply: "no PTR record", "PTR
/// mail.example.com has no address"; empty when nothing is wrong, or nothing is known.
std::string cause_text(UnknownIpState state, const auth::Iprev& iprev);
/// The name that the client's network gives it, whether or not it is true: the one that cause_text
/// speaks of, or that was confirmed. nullptr: none.
const auth::IprevName* claimed_name(UnknownIpState state, const auth::Iprev& iprev);
/// RFC 5321 section 4.5.3.1.5: the reply for a refusal, at most 510 octets without CRLF, printable
/// ASCII. `action` is one of the replies.
std::string refusal_reply(UnknownIpState state, const auth::Iprev& iprev, Action action,
                          ReplyStyle style, std::string_view case_id);
/// RFC 5321 section 3.1: the same refusal in place of the greeting: 421 when it is temporary, 554
/// when it is permanent.
std::string greeting_refusal(std::string_view reply);

}  // namespace postern::policy
