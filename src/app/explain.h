#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/command_line.h"
#include "auth/iprev.h"
#include "policy/remedy.h"
#include "policy/unknown_ip.h"
#include "upstream/recognition.h"

namespace postern::app {

/// `postern explain`: the check of one client, live, and what everybody would see of it.
ExitCode explain(const Arguments& arguments);

/// What there is to tell about one client.
struct Explanation {
  IpAddress client;
  std::string helo;
  std::string sender = "sender@example.com";
  std::string recipient = "recipient@example.net";
  std::string hostname;  ///< ours
  std::string postmaster;

  policy::UnknownIpMode mode = policy::UnknownIpMode::observe;
  policy::UnknownIpState state = policy::UnknownIpState::skipped;
  policy::Action action = policy::Action::accept;
  std::string override_name;  ///< the override that gives the action, or empty
  std::string skipped_because;
  auth::Iprev iprev;  ///< empty when skipped
  std::string reply;  ///< what the client reads at RCPT when the option enforces; empty: accepted
  policy::Remedy remedy;

  WallTime now;  ///< when the mail is taken to be tried first
  /// The servers that the client may be; the first is told of in full.
  std::vector<upstream::Candidate> upstreams;
};
// Pure.
std::string explanation_text(const Explanation& explanation);
std::string explanation_json(const Explanation& explanation);
/// A letter to the postmaster of the sender's domain, ready to be sent; empty when the client is
/// accepted.
std::string explanation_letter(const Explanation& explanation);

}  // namespace postern::app
