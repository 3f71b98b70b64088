#include "server/breaker_status.h"

#include <fmt/format.h>

#include "policy/breaker_text.h"

namespace postern::server {

admin::Breaker breaker_for_people(const policy::BreakerStatus& status, WallTime now) {
  admin::Breaker shown;
  shown.enabled = status.enabled;
  shown.state = policy::breaker_state_name(status.state);
  if (status.since) shown.since = now - *status.since;
  shown.opened = status.opened;
  shown.learning = status.learning;
  for (const policy::BreakerReading& reading : status.readings)
    shown.signals.push_back({.name = std::string(policy::breaker_signal_name(reading.signal)),
                             .bad = reading.bad,
                             .total = reading.total,
                             .opens_at_percent = reading.opens_at,
                             .opens_at_count = reading.bad_min,
                             .figures = policy::reading_text(reading)});
  if (status.state == policy::BreakerState::closed) return shown;
  shown.opened_by = policy::breaker_signal_name(status.signal);
  shown.closes_when = policy::what_closes(status);
  shown.advice = policy::breaker_advice(status.signal);
  return shown;
}

std::string trouble_of(const admin::Breaker& breaker) {
  std::string figures;
  for (const admin::Breaker::Signal& signal : breaker.signals)
    if (signal.name == breaker.opened_by) figures = signal.figures;
  return fmt::format("the unknown-IP check only observes (breaker {}): {}", breaker.state, figures);
}

}  // namespace postern::server
