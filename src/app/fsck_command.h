#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "app/command_line.h"
#include "queue/fsck.h"

namespace postern::app {

/// `postern queue fsck`: on the spool of a server that does not run.
ExitCode queue_fsck(const Arguments& arguments);

/// A finding as people and as programs read it. Pure.
std::string finding_text(const queue::Finding& finding);
boost::json::object finding_json(const queue::Finding& finding);
/// The closing lines. Pure.
std::string fsck_summary(const queue::FsckReport& report, queue::FsckMode mode);

}  // namespace postern::app
