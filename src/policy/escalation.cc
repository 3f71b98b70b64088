#include "policy/escalation.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "policy/unknown_ip.h"

namespace postern::policy {

bool Escalation::note(const IpAddress& client, UnknownIpState state, const auth::Iprev& iprev,
                      SteadyTime now, const EscalationOptions& options) {
  if (state == UnknownIpState::temp_error || state == UnknownIpState::skipped) return false;
  if (state == UnknownIpState::pass) {
    forget(client);
    return false;
  }
  const std::uint64_t evidence = evidence_of(state, iprev);
  const auto [place, is_new] = clients_.try_emplace(client);
  auto& [seen, used] = place->second;
  if (is_new)
    used = used_.insert(used_.begin(), client);
  else
    used_.splice(used_.begin(), used_, used);
  if (is_new || seen.evidence != evidence || now - seen.last > forgotten_after) {
    seen = {.first = now, .last = now, .attempts = 1, .evidence = evidence};
  } else if (now - seen.last >= attempts_apart) {
    seen.last = now;
    ++seen.attempts;
  }
  const bool is_due = options.enabled && seen.attempts >= options.after_attempts &&
                      now - seen.first >= options.after;
  if (clients_.size() > clients_max_) forget(used_.back());
  return is_due;
}

void Escalation::forget(const IpAddress& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  used_.erase(found->second.used);
  clients_.erase(found);
}

const Escalation::Seen* Escalation::find(const IpAddress& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? nullptr : &found->second.seen;
}

std::uint64_t evidence_of(UnknownIpState state, const auth::Iprev& iprev) {
  std::string text(state_name(state));
  for (const auth::IprevName& name : iprev.names) {
    // Names cannot contain a line end: see dns::Answer.
    text += '\n' + name.name;
    std::vector<IpAddress> addresses = name.addresses;
    std::ranges::sort(addresses);
    for (const IpAddress& address : addresses) text += ' ' + address.text();
  }
  return std::hash<std::string>{}(text);
}

}  // namespace postern::policy
