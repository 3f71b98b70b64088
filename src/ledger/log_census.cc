#include "ledger/log_census.h"

#include <algorithm>
#include <utility>

namespace postern::ledger {
namespace {

using maillog::Entry;
using maillog::Reason;
using Kind = Entry::Kind;

void keep_example(std::vector<std::string>& examples, std::string_view value) {
  if (examples.size() >= LoggedClient::examples_kept) return;
  if (std::ranges::find(examples, value) == examples.end()) examples.emplace_back(value);
}

/// A queue id means something only within one writer on one host.
std::string key_of(const Entry& entry) {
  std::string key(1, static_cast<char>(entry.writer));
  return key.append(entry.host).append(1, ' ').append(entry.queue_id);
}

}  // namespace

void LogCensus::add(const Entry& entry) {
  ++counts_.lines;
  if (entry.kind == Kind::unreadable) {
    ++counts_.unreadable;
    return;
  }
  if (counts_.first == WallTime() || entry.time < counts_.first) counts_.first = entry.time;
  counts_.last = std::max(counts_.last, entry.time);
  switch (entry.kind) {
    case Kind::connected:
      if (LoggedClient* known = client(entry)) ++known->connections;
      break;
    case Kind::accepted:
      arrived(entry);
      break;
    case Kind::refused:
      refused(entry);
      break;
    case Kind::sender:
      if (const auto found = messages_.find(key_of(entry)); found != messages_.end()) {
        found->second.sender = entry.sender;
        found->second.sender_told = true;
        count(found->second);
      }
      break;
    case Kind::delivered:
    case Kind::deferred:
    case Kind::bounced:
      // What is delivered, or tried to be, was taken, also where no line tells its sender.
      if (const auto found = messages_.find(key_of(entry)); found != messages_.end()) {
        count(found->second);
        took(found->second, entry.recipient);
      }
      break;
    case Kind::ended:
      messages_.erase(key_of(entry));
      break;
    case Kind::unreadable:
    case Kind::irrelevant:
      break;
  }
}

LoggedClient* LogCensus::client(const Entry& entry) {
  auto found = clients_.find(entry.client);
  if (found == clients_.end()) {
    if (clients_.size() >= clients_max) {
      ++counts_.clients_forgotten;
      return nullptr;
    }
    found = clients_.emplace(entry.client, LoggedClient{}).first;
    found->second.first = entry.time;
  }
  LoggedClient& known = found->second;
  known.first = std::min(known.first, entry.time);
  known.last = std::max(known.last, entry.time);
  known.authenticated |= entry.authenticated;
  if (!entry.client_name.empty()) known.name = entry.client_name;
  if (!entry.helo.empty()) known.helo = entry.helo;
  return &known;
}

void LogCensus::arrived(const Entry& entry) {
  client(entry);
  if (messages_.size() >= messages_max) messages_.erase(messages_.begin());
  Message& message = messages_[key_of(entry)];
  message = {.client = entry.client,
             .helo = std::string(entry.helo),
             .sender = std::string(entry.sender),
             .sender_told = entry.sender_told,
             .arrived = entry.time};
  // Postfix tells the sender only when the message is queued, the others with its arrival.
  if (entry.sender_told) count(message);
}

void LogCensus::count(Message& message) {
  if (std::exchange(message.counted, true)) return;
  ++counts_.accepted;
  const auto found = clients_.find(message.client);
  if (found == clients_.end()) return;
  ++found->second.accepted;
  if (!message.sender_told) return;
  keep_example(found->second.senders, message.sender);
  senders_.add(message.client, message.sender);
}

void LogCensus::took(const Message& message, std::string_view recipient) {
  if (const auto found = clients_.find(message.client); found != clients_.end()) {
    keep_example(found->second.recipients, recipient);
    recipients_.add(message.client, recipient);
  }
  if (!message.sender_told) return;  // it could be anybody's
  refused_.add({.time = message.arrived,
                .client = message.client,
                .helo = message.helo,
                .sender = message.sender,
                .recipient = recipient,
                .accepted = true});
}

void LogCensus::refused(const Entry& entry) {
  if (entry.warning_only) {
    if (entry.reason != Reason::other) ++counts_.would_be_refused;
    return;
  }
  LoggedClient* known = client(entry);
  if (entry.reason == Reason::other) {
    if (known != nullptr) ++known->refused_otherwise;
    return;
  }
  if (known != nullptr) {
    ++known->refused_unknown_ip;
    if (entry.sender_told) keep_example(known->senders, entry.sender);
    if (!entry.recipient.empty()) keep_example(known->recipients, entry.recipient);
  }
  if (entry.recipient.empty()) ++counts_.refused_without_recipient;
  if (entry.recipient.empty() || !entry.temporary) return;
  refused_.add({.time = entry.time,
                .client = entry.client,
                .helo = entry.helo,
                .sender = entry.sender,
                .recipient = entry.recipient});
}

}  // namespace postern::ledger
