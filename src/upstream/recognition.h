#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "upstream/profile.h"

namespace postern::upstream {

/// What was seen of a server that keeps a message which was answered 4xx.
struct Habits {
  std::vector<WallTime> attempts;  ///< of the one message, ascending; the first is its first
  std::string helo;                ///< the name in its EHLO, or empty
  Greeting greeting = Greeting::unknown;
  WallTime last{};  ///< the last attempt, when it is later than all of these
};

/// One profile and how well it explains the habits.
struct Candidate {
  const Profile* profile = nullptr;
  double probability = 0;  ///< among the profiles given; they add up to 1
};

/// Intervals looked at: what comes later tells no more about who it is.
inline constexpr std::size_t intervals_max = 12;

/// The profiles by probability, the most probable first; empty only when there are none. With no
/// interval seen it is how common each is, its name, and whether it said EHLO or HELO. Attempts
/// that went elsewhere, or were late by a queue run, cost a profile less than attempts that came
/// too early.
std::vector<Candidate> recognize(const Habits& habits, const Profiles& profiles);

/// What becomes of a message that nobody takes, if the server is of this profile.
struct Forecast {
  WallTime next_attempt;               ///< when the next one is due, as the waits say
  std::optional<WallTime> first_sign;  ///< when its user first hears of it, by a notice of delay or
                                       ///< the report; nobody hears: nothing
  WallTime gives_up;                   ///< and reports, if it does
  Duration retry_interval{};           ///< between attempts around now: how exact `gives_up` is

  /// It had ended by then, so that nothing of it comes later.
  void end_by(WallTime end);
};
/// After so many attempts, one at least, of which `last` was the last.
Forecast forecast(WallTime first, WallTime last, std::size_t attempts, const Profile& profile);

}  // namespace postern::upstream
