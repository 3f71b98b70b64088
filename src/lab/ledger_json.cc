#include "lab/ledger_json.h"

#include <boost/json/object.hpp>

#include "lab/json_times.h"

namespace postern::lab {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

object view_json(const LedgerView& view) {
  return object{{"at", in_seconds(view.at)},
                {"attempts", view.attempts},
                {"outcome", ledger::outcome_name(view.outcome)},
                {"profile", view.profile},
                {"probability", view.probability},
                {"next_attempt", in_seconds(view.next_attempt)},
                {"first_sign", optional_seconds(view.first_sign)},
                {"gives_up", in_seconds(view.gives_up)}};
}

object truth_json(const LedgerTruth& truth) {
  array attempts;
  for (const Duration at : truth.attempts) attempts.emplace_back(in_seconds(at));
  const bool recovered = truth.outcome == ledger::Outcome::recovered;
  return object{{"upstream", truth.upstream},
                {"profile", truth.profile},
                {"outcome", ledger::outcome_name(truth.outcome)},
                {"attempts", std::move(attempts)},
                {"ended", optional_seconds(truth.ended)},
                {"refused_for_good", truth.refused_for_good},
                {"first_sign", optional_seconds(truth.first_sign)},
                {"accepted_from", recovered ? value(truth.accepted_from.text()) : value(nullptr)}};
}

value error_json(const std::optional<ForecastError>& error) {
  if (!error) return nullptr;
  return object{{"gives_up", in_seconds(error->gives_up)},
                {"retry_interval", in_seconds(error->interval)},
                {"intervals", error->intervals},
                {"within_one", error->within_one},
                {"first_sign", optional_seconds(error->first_sign)},
                {"first_sign_within_one", error->first_sign_within_one}};
}

object deferral_json(const ledger::Deferral& deferral) {
  array addresses;
  for (const IpAddress& address : deferral.addresses) addresses.emplace_back(address.text());
  object out{{"attempts", deferral.attempts_count}, {"addresses", std::move(addresses)}};
  if (!deferral.accepted) return out;
  out["delay"] = in_seconds(*deferral.accepted - deferral.attempts.front());
  out["accepted_from"] = deferral.accepted_from.text();
  return out;
}

}  // namespace

object ledger_json(const LedgerAccount& account) {
  array views;
  for (const LedgerView& view : account.views) views.push_back(view_json(view));
  array faults;
  for (const std::string& fault : account.faults) faults.emplace_back(fault);
  return object{{"postern", account.postern},
                {"sender", account.sender},
                {"recipient", account.recipient},
                {"ok", account.faults.empty()},
                {"faults", std::move(faults)},
                {"deferral", deferral_json(account.deferral)},
                {"said", std::move(views)},
                {"truth", truth_json(account.truth)},
                {"forecast_error", error_json(account.error())}};
}

}  // namespace postern::lab
