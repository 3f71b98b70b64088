#include "policy/overrides.h"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace postern::policy {
namespace {

bool in_domain(std::string_view name, std::string_view domain) {
  if (domain.starts_with('.')) return name.ends_with(domain) && name.size() > domain.size();
  return name == domain;
}

bool holds(const std::string& domain, std::string_view name) {
  return domain.empty() || in_domain(name, domain);
}

enum class Match : std::uint8_t { no, unknown, yes };

/// Whether the client has a name in this domain.
Match match_name(const std::string& domain, const auth::Iprev& iprev) {
  if (domain.empty()) return Match::yes;
  Match match = Match::no;
  for (const auth::IprevName& name : iprev.names) {
    if (!name.usable || !in_domain(name.name, domain)) continue;
    if (auth::confirms(name, iprev.address)) return Match::yes;
    if (!dns::is_determined(name.status)) match = Match::unknown;
  }
  return match;
}

Match match(const Override& rule, const OverrideFacts& facts) {
  if (rule.expires && facts.now >= *rule.expires) return Match::no;
  if (rule.network && !rule.network->contains(facts.iprev.address)) return Match::no;
  const bool names_client = rule.network || !rule.ptr_domain.empty();
  if (facts.iprev.result == auth::IprevResult::pass && is_reply(rule.action) && !names_client)
    return Match::no;
  if (!holds(rule.sender_domain, facts.sender_domain) ||
      !holds(rule.recipient_domain, facts.recipient_domain))
    return Match::no;
  return match_name(rule.ptr_domain, facts.iprev);
}

/// A name is nearer to its domain than to all that is below a domain.
std::size_t weight(const std::string& domain) {
  if (domain.empty()) return 0;
  return domain.size() * 2 + (domain.starts_with('.') ? 0 : 1);
}

auto specificity(const Override& rule) {
  const int conditions = (rule.network ? 1 : 0) + (rule.ptr_domain.empty() ? 0 : 1) +
                         (rule.sender_domain.empty() ? 0 : 1) +
                         (rule.recipient_domain.empty() ? 0 : 1);
  return std::tuple(conditions, rule.network ? rule.network->prefix_bits() : -1,
                    weight(rule.ptr_domain), weight(rule.recipient_domain),
                    weight(rule.sender_domain));
}

}  // namespace

std::string Override::name() const {
  if (!comment.empty()) return comment;
  std::string text;
  const auto add = [&text](std::string_view what, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, value);
  };
  add("network", network ? network->text() : std::string());
  add("ptr_domain", ptr_domain);
  add("sender_domain", sender_domain);
  add("recipient_domain", recipient_domain);
  return text;
}

Overrides::Overrides(std::vector<Override> overrides) {
  struct Placed {
    std::size_t written;
    Override rule;
  };
  std::vector<Placed> placed;
  placed.reserve(overrides.size());
  for (Override& rule : overrides) placed.push_back({placed.size(), std::move(rule)});
  std::ranges::sort(placed, [](const Placed& a, const Placed& b) {
    const auto of_a = specificity(a.rule);
    const auto of_b = specificity(b.rule);
    return of_a != of_b ? of_a > of_b : a.written < b.written;
  });
  sorted_.reserve(placed.size());
  for (Placed& place : placed) sorted_.push_back(std::move(place.rule));
}

Overrides::Found Overrides::find(const OverrideFacts& facts) const {
  bool milder_is_possible = false;
  for (const Override& rule : sorted_) {
    const Match matched = match(rule, facts);
    if (matched == Match::yes) return {.rule = &rule, .is_uncertain = milder_is_possible};
    if (matched == Match::unknown) milder_is_possible |= rule.action != Action::reply_550;
  }
  return {};
}

bool Overrides::depend_on(std::string_view name) const {
  return std::ranges::any_of(sorted_, [name](const Override& rule) {
    return !rule.ptr_domain.empty() && in_domain(name, rule.ptr_domain);
  });
}

}  // namespace postern::policy
