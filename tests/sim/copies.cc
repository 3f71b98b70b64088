#include "copies.h"

#include <algorithm>

namespace postern::sim {
namespace {

/// By then the outcome of an attempt is synced: the late sync comes within a second, and the store
/// answers soon.
constexpr Duration synced_within = seconds(15);
/// While commits or syncs fail it takes until they do not.
constexpr Duration synced_after_failures = std::chrono::minutes(30);

/// What the gateway said of the attempt that gave this copy.
const Outcome* outcome_of(const History& history, const Copy& copy) {
  for (const Outcome& outcome : history.outcomes)
    if (outcome.at >= copy.at && outcome.recipient == copy.address &&
        (copy.id.empty() || copy.id == outcome.id))
      return &outcome;
  return nullptr;
}

// A report whose original could not be read returns none of it.
std::string token_of(const History& history, const Report& report) {
  const Mail* mail = history.mail_of(report.to);
  return mail == nullptr ? report.token : mail->token;
}

}  // namespace

Copies arrivals_of(const History& history) {
  Copies out;
  for (const Arrival& arrival : history.arrivals)
    out[{arrival.token, arrival.recipient, ""}].push_back(
        {arrival.at, arrival.read, arrival.recipient, arrival.id});
  return out;
}

Copies reports_of(const History& history) {
  Copies out;
  for (const Report& report : history.reports)
    for (const ReportedRecipient& recipient : report.recipients)
      out[{token_of(history, report), recipient.final_recipient, recipient.action}].push_back(
          {report.at, report.read, report.to});
  return out;
}

std::string excuse_of(const History& history, const Copy& copy) {
  if (copy.read == SteadyTime::max()) return "the reply was not read";
  const Outcome* outcome = outcome_of(history, copy);
  const Duration sync = history.store_failures > 0 ? synced_after_failures : synced_within;
  const SteadyTime known = outcome == nullptr ? SteadyTime::max() : outcome->at + sync;
  if (std::ranges::any_of(history.crashes,
                          [&](SteadyTime crash) { return crash >= copy.at && crash <= known; }))
    return "a crash before the outcome was synced";
  if (outcome == nullptr) return "";
  // As long as the gateway lives it knows what it could not write down, until it says that it has.
  const std::pair share(outcome->id, outcome->destination);
  const auto [from, to] = history.outcomes_unrecorded.equal_range(share);
  const auto missed =
      std::find_if(from, to, [&](const auto& entry) { return entry.second >= outcome->at; });
  if (missed == to || missed->second > outcome->at + synced_within) return "";
  SteadyTime written = SteadyTime::max();
  const auto [first, last] = history.outcomes_recorded.equal_range(share);
  for (auto at = first; at != last; ++at)
    if (at->second >= missed->second) written = std::min(written, at->second + sync);
  if (std::ranges::any_of(history.crashes, [&](SteadyTime crash) {
        return crash >= missed->second && crash <= written;
      }))
    return "a crash while the outcome could not be recorded";
  return "";
}

const SentRecipient* find(const Mail& mail, const std::string& address) {
  const auto at = std::ranges::find(mail.recipients, address, &SentRecipient::address);
  return at == mail.recipients.end() ? nullptr : &*at;
}

}  // namespace postern::sim
