#include "ledger/recorded_mail.h"

#include <algorithm>

namespace postern::ledger {
namespace {

/// Whether it is seen for the first time, as far as there is room to remember.
template <typename Set, typename T>
bool is_new(Set& seen, T value) {
  return seen.size() < RecordedMail::counted_max ? seen.insert(value).second
                                                 : !seen.contains(value);
}

void add_example(std::vector<std::string>& examples, std::string_view value) {
  if (examples.size() < LoggedClient::examples_kept &&
      std::ranges::find(examples, value) == examples.end())
    examples.emplace_back(value);
}

}  // namespace

void RecordedMail::add(const Row& row) {
  if (counts_.first == WallTime()) counts_.first = row.time;
  counts_.last = std::max(counts_.last, row.time);
  if (row.effect == Effect::excused) {
    ++counts_.recipients_excused;
    return;
  }
  RecordedClient* found = client(row);
  if (found == nullptr) return;
  ++(row.effect == Effect::refused ? counts_.recipients_refused : counts_.recipients_observed);
  // Before RCPT nobody knows them, or only the sender.
  if (!row.sender.empty() || !row.recipient.empty()) senders_.add(row.client, row.sender);
  if (!row.recipient.empty()) recipients_.add(row.client, row.recipient);
  const bool message = begins_message(row);
  LoggedClient& seen = found->seen;
  if (message) ++found->messages;
  if (row.effect == Effect::refused)
    ++seen.refused_unknown_ip;
  else if (message)
    ++seen.accepted;
  seen.helo = row.helo;
  if (seen.first == WallTime()) seen.first = row.time;
  seen.last = row.time;
  add_example(seen.senders, row.sender);
  add_example(seen.recipients, row.recipient);
  found->finding.state = row.state;
  found->finding.refused = true;
  found->evidence = row.evidence;
}

RecordedClient* RecordedMail::client(const Row& row) {
  const auto found = clients_.find(row.client);
  if (found != clients_.end()) return &found->second;
  if (clients_.size() < clients_max) return &clients_[row.client];
  ++counts_.clients_forgotten;
  return nullptr;
}

// A retry is a transaction of its own, and brings the same message once more.
bool RecordedMail::begins_message(const Row& row) {
  if (row.deferral && !is_new(deferrals_seen_, *row.deferral)) return false;
  return row.message == 0 || is_new(messages_seen_, row.message);
}

}  // namespace postern::ledger
