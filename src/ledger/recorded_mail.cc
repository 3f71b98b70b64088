#include "ledger/recorded_mail.h"

#include <algorithm>

#include "base/text.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

constexpr Duration recipients_apart_max = 1s;

std::size_t hash_of(std::string_view text) {
  return std::hash<std::string>{}(to_lower(text));
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

// An attempt of a deferral that is known already brings the same message once more.
bool RecordedMail::begins_message(const Row& row) {
  if (row.deferral && !deferrals_seen_.insert(*row.deferral).second) return false;
  LastMessage& last = last_messages_[row.client];
  const std::size_t case_and_sender = hash_of(row.case_id) * 31 + hash_of(row.sender);
  const std::size_t recipient = hash_of(row.recipient);
  const bool same = last.case_and_sender == case_and_sender && last.recipient != recipient &&
                    row.time - last.time <= recipients_apart_max;
  last.time = row.time;
  if (same) return false;
  last.case_and_sender = case_and_sender;
  last.recipient = recipient;
  return true;
}

}  // namespace postern::ledger
