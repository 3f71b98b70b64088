#include "policy/recipient_check.h"

#include <array>
#include <map>

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

}  // namespace

struct RecipientCheck::State {
  explicit State(RecipientOptions options)
      : rules(std::make_shared<const RuleTable>(std::move(options.rules))) {}

  std::shared_ptr<const RuleTable> rules;
};

RecipientCheck::RecipientCheck(RecipientOptions options)
    : state_(std::make_shared<State>(std::move(options))) {}

RecipientCheck::~RecipientCheck() = default;

void RecipientCheck::set_options(RecipientOptions options) {
  state_->rules = std::make_shared<const RuleTable>(std::move(options.rules));
}

io::Task<RecipientVerdict> RecipientCheck::check(mail::Mailbox recipient) {
  const auto rules = state_->rules;
  const RecipientRule* rule = rules->find(mail::normalize_domain(recipient.domain));
  RecipientVerdict verdict;
  // RFC 5321 section 4.5.1: the postmaster of each domain that we serve is always taken, so that
  // who is refused otherwise can still tell somebody.
  if (rule == nullptr || recipient.is_postmaster()) co_return verdict;
  verdict.source = rule->source;
  if (rule->source == RecipientSource::any) co_return verdict;
  verdict.state = rule->list.contains(recipient, rule->delimiter) ? RecipientState::known
                                                                  : RecipientState::unknown;
  if (verdict.state == RecipientState::known) co_return verdict;
  verdict.cause = "not in " + rule->list_name;
  verdict.reply = unknown_reply(recipient, rule->when_unknown);
  co_return verdict;
}

// RFC 5321 section 3.3: a recipient that is known not to be deliverable is refused with 550 that
// names the mailbox. RFC 3463 section 3.2: X.1.1 is a mailbox that does not exist.
std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action) {
  return refused(recipient, action == WhenUnknown::reply_550 ? "550 5.1.1" : "450 4.1.1",
                 "User unknown");
}

std::string_view source_name(RecipientSource source) {
  static constexpr std::array<std::string_view, 2> names{"any", "list"};
  return names.at(static_cast<std::size_t>(source));
}

std::string_view state_name(RecipientState state) {
  static constexpr std::array<std::string_view, 3> names{"unchecked", "known", "unknown"};
  return names.at(static_cast<std::size_t>(state));
}

}  // namespace postern::policy
