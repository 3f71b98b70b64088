#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "lab/little_world.h"

namespace postern::lab {

/// Where the story is told: text, line by line.
using Telling = std::function<void(std::string_view text)>;

/// Tells the story of the option on a LittleWorld that has started: a client with a confirmed name
/// gets through, one without is refused, and what was accepted for nobody leads to a report.
/// Everything shown has happened; an error means that something did not go as the story says.
io::Task<Result<>> tell_demo(const io::World& world, LittleWorld& little_world, Telling tell);

}  // namespace postern::lab
