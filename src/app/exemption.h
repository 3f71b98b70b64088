#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "ledger/impact.h"
#include "policy/action.h"

namespace postern::app {

// What lets mail in, ready for the configuration. All pure; a block ends in a line feed.

/// Lets this client's mail in: all of it, or that of one sender's domain (empty, or a text that is
/// none, or not known where the option answers: all). `comment` says why.
std::string exemption(const IpAddress& client, std::string_view sender_domain,
                      std::string_view comment, policy::AnswerAt answer_at);
/// A block for each of an impact's clients that is to be let in, up to `count_max`: for the mail of
/// its senders' domain, when it has but one. None for those whom an override refuses, which has to
/// be changed itself.
std::vector<std::string> exemptions(const ledger::Impact& impact, policy::AnswerAt answer_at,
                                    std::size_t count_max);
/// The same with words in front; empty when there is none.
std::string exemptions_text(const ledger::Impact& impact, policy::AnswerAt answer_at,
                            std::size_t count_max);

/// More than this the configuration does not take.
inline constexpr std::size_t exemptions_max = 10'000;

}  // namespace postern::app
