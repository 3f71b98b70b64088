#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>

#include "auth/iprev.h"
#include "base/result.h"
#include "policy/remedy.h"
#include "policy/unknown_ip.h"
#include "upstream/recognition.h"

namespace postern::app {

/// What there is to tell about one client and its mail, checked now or recorded then. Its texts are
/// a peer's, or from a file that may be damaged: they are made printable when they are told.
struct Explanation {
  IpAddress client;
  std::string helo;
  std::string sender = "sender@example.com";  ///< empty: the null reverse path
  std::string recipient = "recipient@example.net";
  std::string hostname;  ///< ours; never empty where anything is told
  std::string postmaster;
  std::string case_id;  ///< that the reply names, or empty

  policy::UnknownIpState state = policy::UnknownIpState::skipped;
  policy::Action action = policy::Action::accept;
  auth::Iprev iprev;  ///< empty when skipped
  std::string reply;  ///< what the client reads when the option enforces; empty: accepted
  policy::AnswerAt answered_at = policy::AnswerAt::rcpt;
  policy::Remedy remedy;

  // What its server did so far.
  WallTime first_attempt;
  WallTime last_attempt;
  std::size_t attempts = 1;  ///< one at least
  /// The servers that the client may be, the likeliest first, which is told of in full.
  std::vector<upstream::Candidate> upstreams;
};

/// Of the servers that a client may be, how many are told of.
inline constexpr std::size_t upstreams_told_max = 3;

/// The profile of this name, alone; or, without a name, those that fit what was seen best. Error:
/// there is no such profile, with what may have been meant.
Result<std::vector<upstream::Candidate>> upstreams_of(const std::string& profile,
                                                      const upstream::Habits& seen);

// All pure. A text ends in a line feed, unless it is empty.
/// The lookups as a tree.
std::string lookups_text(const auth::Iprev& iprev);
/// "pass", "no_ptr": what state_name() writes.
std::optional<policy::UnknownIpState> state_named(std::string_view name);
/// "accept", "450": what action_name() writes.
std::optional<policy::Action> action_named(std::string_view name);
/// What is wrong with the client, "no PTR record", also when the state and the lookups do not fit.
std::string cause_of(policy::UnknownIpState state, const auth::Iprev& iprev);
bool refused_for_good(const Explanation& explanation);
/// Each server that the client may be, when it tries again and whom it tells; a line each.
std::string servers_text(const Explanation& explanation);
/// The report that the sender reads from the likeliest server, with its From and Subject: when it
/// gives up, or at once when it was refused for good. Empty when nobody reads any.
std::string report_text(const Explanation& explanation);
/// What the sender's administrator has to do.
std::string remedy_text(const policy::Remedy& remedy);
/// Each line four columns further in.
std::string indented(const std::string& text);
/// Whether the client read its reply, or would have.
enum class Enforced : std::uint8_t { yes, not_yet };
/// A letter to the postmaster of the sender's domain about a reply that there is, ready to be sent:
/// a whole message of RFC 5322, but for its line ends, which are line feeds.
/// `occasion`: what has happened, sentences that end in a line feed.
std::string letter(const Explanation& explanation, Enforced enforced, WallTime now,
                   std::string_view occasion);

boost::json::array strings_json(const std::vector<std::string>& values);
/// The servers that the client may be, with what each does; "..._seconds" after the first attempt.
boost::json::array upstreams_json(const Explanation& explanation);

/// The domain of an address, as overrides compare it; empty when it has none.
std::string domain_of(const std::string& address);

}  // namespace postern::app
