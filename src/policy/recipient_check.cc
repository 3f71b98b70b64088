#include "policy/recipient_check.h"

#include <array>
#include <map>
#include <optional>

#include "base/check.h"
#include "base/text.h"

namespace postern::policy {
namespace {

/// Rules by domain. Immutable.
class RuleTable {
 public:
  explicit RuleTable(std::vector<RecipientRule> rules) {
    for (RecipientRule& rule : rules) {
      const bool below = rule.domain.starts_with('.');
      std::string key = mail::normalize_domain(below ? rule.domain.substr(1) : rule.domain);
      rules_.emplace((below ? "." : "") + key, std::move(rule));
    }
  }

  /// The most specific rule; nullptr: none.
  [[nodiscard]] const RecipientRule* find(std::string_view domain) const {
    if (const auto own = rules_.find(domain); own != rules_.end()) return &own->second;
    for (std::size_t dot = domain.find('.'); dot != std::string_view::npos;
         dot = domain.find('.', dot + 1))
      if (const auto above = rules_.find(domain.substr(dot)); above != rules_.end())
        return &above->second;
    return nullptr;
  }

 private:
  std::map<std::string, RecipientRule, std::less<>> rules_;
};

std::string refused(const mail::Mailbox& recipient, std::string_view code, std::string_view why) {
  // With the rest well inside of a reply line, whatever the address is.
  constexpr std::size_t shown_bytes_max = 256;
  std::string reply(code);
  reply += " <" + printable(recipient.address(), shown_bytes_max) + ">: ";
  // Postfix's sentence, which the readers of logs and reports know.
  reply += "Recipient address rejected: ";
  reply += why;
  return reply;
}

RecipientVerdict verdict_of_list(const mail::Mailbox& recipient, const RecipientRule& rule) {
  RecipientVerdict verdict;
  verdict.state = rule.list.contains(recipient, rule.delimiter) ? RecipientState::known
                                                                : RecipientState::unknown;
  if (verdict.state == RecipientState::known) return verdict;
  verdict.cause = "not in " + rule.list_name;
  verdict.reply = unknown_reply(recipient, rule.when_unknown);
  return verdict;
}

RecipientVerdict verdict_of_probe(const mail::Mailbox& recipient, const RecipientRule& rule,
                                  const ProbeAnswer& answer) {
  RecipientVerdict verdict;
  switch (answer.state) {
    case ProbeState::exists:
      verdict.state = RecipientState::known;
      break;
    case ProbeState::unknown:
      verdict.state = RecipientState::unknown;
      verdict.reply = unknown_reply(recipient, rule.when_unknown, answer);
      break;
    case ProbeState::undecided:
      verdict.state = RecipientState::undecided;
      if (rule.when_undecided == WhenUndecided::reply_450)
        verdict.reply = undecided_reply(recipient);
      break;
  }
  verdict.cause = answer.reply;
  verdict.timed_out = answer.timed_out;
  return verdict;
}

}  // namespace

struct RecipientCheck::State {
  State(const io::World& world, RecipientProbe* probe, RecipientOptions options)
      : rules(std::make_shared<const RuleTable>(std::move(options.rules))) {
    if (probe != nullptr) probed.emplace(world, *probe, options.probe);
  }

  std::shared_ptr<const RuleTable> rules;
  std::optional<ProbedRecipients> probed;
};

RecipientCheck::RecipientCheck(const io::World& world, RecipientProbe* probe,
                               RecipientOptions options)
    : state_(std::make_unique<State>(world, probe, std::move(options))) {}

RecipientCheck::~RecipientCheck() = default;

void RecipientCheck::set_options(RecipientOptions options) {
  state_->rules = std::make_shared<const RuleTable>(std::move(options.rules));
  if (state_->probed) state_->probed->set_options(options.probe);
}

io::Task<> RecipientCheck::stop() {
  if (state_->probed) co_await state_->probed->stop();
}

io::Task<RecipientVerdict> RecipientCheck::check(mail::Mailbox recipient, Patience patience) {
  const auto rules = state_->rules;
  const RecipientRule* rule = rules->find(mail::normalize_domain(recipient.domain));
  RecipientVerdict verdict;
  // RFC 5321 section 4.5.1: the postmaster of each domain that we serve is always taken, so that
  // who is refused otherwise can still tell somebody.
  if (rule == nullptr || recipient.is_postmaster()) co_return verdict;
  switch (rule->source) {
    case RecipientSource::any:
      break;
    case RecipientSource::list:
      verdict = verdict_of_list(recipient, *rule);
      break;
    case RecipientSource::probe:
      CHECK(state_->probed);
      verdict =
          verdict_of_probe(recipient, *rule, co_await state_->probed->find(recipient, patience));
      break;
  }
  verdict.source = rule->source;
  co_return verdict;
}

// RFC 5321 section 3.3: a recipient that is known not to be deliverable is refused with 550 that
// names the mailbox. RFC 3463 section 3.2: X.1.1 is a mailbox that does not exist.
std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action) {
  return refused(recipient, action == WhenUnknown::reply_550 ? "550 5.1.1" : "450 4.1.1",
                 "User unknown");
}

std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action,
                          const ProbeAnswer& answer) {
  // What the next hop says tells the sender more than we could, and a report of ours would have
  // told it too.
  constexpr std::size_t words_bytes_max = 150;
  const bool final = action == WhenUnknown::reply_550;
  const std::string detail = answer.status.starts_with("5.") ? answer.status.substr(1) : ".1.1";
  return refused(
      recipient, (final ? "550 5" : "450 4") + detail,
      "undeliverable address: its server says: " + printable(answer.reply, words_bytes_max));
}

// RFC 3463 section 3.5: X.4.3, what knows the directory of recipients cannot be reached.
std::string undecided_reply(const mail::Mailbox& recipient) {
  return refused(recipient, "450 4.4.3",
                 "unverified address: its server cannot be asked now, try again later");
}

std::string_view source_name(RecipientSource source) {
  static constexpr std::array<std::string_view, 3> names{"any", "list", "probe"};
  return names.at(static_cast<std::size_t>(source));
}

std::string_view state_name(RecipientState state) {
  static constexpr std::array<std::string_view, 4> names{"unchecked", "known", "unknown",
                                                         "undecided"};
  return names.at(static_cast<std::size_t>(state));
}

}  // namespace postern::policy
