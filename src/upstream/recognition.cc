#include "upstream/recognition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/text.h"

namespace postern::upstream {
namespace {

using namespace std::chrono_literals;

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// How far an interval is from the wait that it should be, in standard deviations.
double deviation(Duration seen, Duration wanted) {
  constexpr double spread = 0.15;        // of the wait: servers draw their waits, and are busy
  constexpr double seconds_always = 20;  // connecting, and waiting for the answer
  constexpr double lateness = 0.5;       // a queue that is run every few minutes is late, not early
  const double wait = in_seconds(wanted);
  const double off = (in_seconds(seen) - wait) / (spread * wait + seconds_always);
  return off > 0 ? lateness * off : off;
}

/// The logarithm of how likely the intervals are, up to a constant.
double likelihood(const std::vector<WallTime>& attempts, const Profile& profile) {
  constexpr double worst = 16;  // one odd interval does not rule a profile out
  double sum = 0;
  const std::size_t last = std::min(attempts.size(), intervals_max + 1);
  for (std::size_t i = 1; i < last; ++i) {
    const Duration wanted = profile.wait_after(i);
    if (wanted == Duration{}) {
      sum -= worst;  // it never tries again
      continue;
    }
    const double off = deviation(attempts[i] - attempts[i - 1], wanted);
    sum -= std::min(off * off / 2, worst);
  }
  return sum;
}

/// "*.google.com" matches what ends in ".google.com".
bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with('*')) return pattern == name;
  return name.ends_with(pattern.substr(1));
}

double prior(const Profile& profile, const std::string& helo) {
  constexpr double named = 200;      // who has the name has it for a reason
  constexpr double not_named = 0.2;  // few say a name of their own there
  double weight = profile.share;
  if (!profile.helo.empty() && !helo.empty())
    weight *= std::ranges::any_of(profile.helo, [&](const auto& p) { return matches(p, helo); })
                  ? named
                  : not_named;
  return weight;
}

}  // namespace

std::vector<Candidate> recognize(const Habits& habits, const Profiles& profiles) {
  const std::string helo = to_lower(habits.helo);
  std::vector<Candidate> candidates;
  double best = -std::numeric_limits<double>::infinity();
  for (const Profile& profile : profiles.all) {
    const double weight = std::log(prior(profile, helo)) + likelihood(habits.attempts, profile);
    candidates.push_back({&profile, weight});
    best = std::max(best, weight);
  }
  double sum = 0;
  for (Candidate& candidate : candidates)
    sum += candidate.probability = std::exp(candidate.probability - best);
  for (Candidate& candidate : candidates) candidate.probability /= sum;
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.profile < b.profile;
  });
  return candidates;
}

Forecast forecast(WallTime first, WallTime last, std::size_t attempts, const Profile& profile) {
  CHECK(attempts > 0);
  Forecast forecast;
  forecast.gives_up = first + profile.give_up;
  forecast.retry_interval = profile.wait_after(attempts);
  forecast.next_attempt =
      std::min(last + forecast.retry_interval, std::max(forecast.gives_up, last));
  if (profile.reports) forecast.first_sign = first + profile.first_sign();
  return forecast;
}

}  // namespace postern::upstream
