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
  constexpr double seconds_always = 20;  // connecting, and waiting for the answer
  constexpr double early = 0.07;         // of the wait: few servers draw theirs
  constexpr double late = 0.3;           // many run their queue every few minutes, and are busy
  constexpr double always_late = 2;      // and those seconds come twice over
  const double wait = in_seconds(wanted);
  const double off = in_seconds(seen) - wait;
  return off < 0 ? off / (early * wait + seconds_always)
                 : off / (late * wait + always_late * seconds_always);
}

/// The logarithm of how likely the attempts are, up to a constant.
double likelihood(const Habits& habits, const Profile& profile) {
  constexpr double worst = 16;  // one odd interval does not rule a profile out
  const std::vector<WallTime>& attempts = habits.attempts;
  if (attempts.empty()) return 0;
  double sum = 0;
  // It tries again after it should have given up: perhaps it is set to another time.
  const WallTime seen_until = std::max(attempts.back(), habits.last);
  if (seen_until > attempts.front() + profile.give_up + profile.then + 1h) sum -= worst;
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

double prior(const Profile& profile, const std::string& helo, Greeting greeting) {
  constexpr double named = 200;        // who has the name has it for a reason
  constexpr double not_named = 0.2;    // few say a name of their own there
  constexpr double other_word = 0.05;  // EHLO or HELO: patches and proxies change it
  double weight = profile.share;
  if (!profile.helo.empty() && !helo.empty())
    weight *= std::ranges::any_of(profile.helo, [&](const auto& p) { return matches(p, helo); })
                  ? named
                  : not_named;
  if (greeting != Greeting::unknown && profile.greeting != Greeting::unknown &&
      greeting != profile.greeting)
    weight *= other_word;
  return weight;
}

}  // namespace

std::vector<Candidate> recognize(const Habits& habits, const Profiles& profiles) {
  const std::string helo = to_lower(habits.helo);
  std::vector<Candidate> candidates;
  double best = -std::numeric_limits<double>::infinity();
  for (const Profile& profile : profiles.all) {
    const double weight =
        std::log(prior(profile, helo, habits.greeting)) + likelihood(habits, profile);
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

void Forecast::end_by(WallTime end) {
  gives_up = std::min(gives_up, end);
  next_attempt = std::min(next_attempt, end);
  if (first_sign) first_sign = std::min(*first_sign, end);
}

Forecast forecast(WallTime first, WallTime last, std::size_t attempts, const Profile& profile) {
  CHECK(attempts > 0);
  Forecast forecast;
  forecast.gives_up = first + profile.give_up;
  forecast.retry_interval = profile.wait_after(attempts);
  // It still tries: it looks at the message's age only then, or is set to another time than its
  // product is shipped with.
  if (last > forecast.gives_up + forecast.retry_interval)
    forecast.gives_up = last + forecast.retry_interval;
  forecast.gives_up = std::max(forecast.gives_up, last);
  forecast.next_attempt = std::min(last + forecast.retry_interval, forecast.gives_up);
  if (!profile.reports) return forecast;
  const bool notice =
      profile.delay_notice != Duration{} && first + profile.delay_notice < forecast.gives_up;
  forecast.first_sign = notice ? first + profile.delay_notice : forecast.gives_up;
  return forecast;
}

}  // namespace postern::upstream
