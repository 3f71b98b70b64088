#include "policy/escalation.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "policy/unknown_ip.h"

namespace postern::policy {

namespace {

/// Whether the DNS has said something for certain, and it is a refusal.
bool counts(UnknownIpState state) {
  return state != UnknownIpState::pass && state != UnknownIpState::temp_error &&
         state != UnknownIpState::skipped;
}

/// `before`, with one more attempt.
Escalation::Seen with_attempt(const Escalation::Seen* before, std::uint64_t evidence,
                              SteadyTime now) {
  if (before == nullptr || before->evidence != evidence ||
      now - before->last > Escalation::forgotten_after)
    return {.first = now, .last = now, .attempts = 1, .evidence = evidence};
  Escalation::Seen seen = *before;
  if (now - seen.last < Escalation::attempts_apart) return seen;
  seen.last = now;
  ++seen.attempts;
  return seen;
}

}  // namespace

bool Escalation::is_due(const IpAddress& client, UnknownIpState state, const auth::Iprev& iprev,
                        SteadyTime now, const EscalationOptions& options) const {
  if (!options.enabled || !counts(state)) return false;
  const Seen seen = with_attempt(find(client), evidence_of(state, iprev), now);
  return seen.attempts >= options.after_attempts && now - seen.first >= options.after;
}

void Escalation::note(const IpAddress& client, UnknownIpState state, const auth::Iprev& iprev,
                      SteadyTime now) {
  if (state == UnknownIpState::pass) forget(client);
  if (!counts(state)) return;
  const Seen seen = with_attempt(find(client), evidence_of(state, iprev), now);
  const auto [place, is_new] = clients_.try_emplace(client);
  Entry& entry = place->second;
  if (is_new)
    entry.used = used_.insert(used_.begin(), client);
  else
    used_.splice(used_.begin(), used_, entry.used);
  entry.seen = seen;
  if (clients_.size() > clients_max_) forget(used_.back());
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
    text += ' ' + std::to_string(name.addresses_left_out);
  }
  return std::hash<std::string>{}(text);
}

}  // namespace postern::policy
