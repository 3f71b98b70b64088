#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "history.h"

namespace postern::sim {

/// One message for one recipient at a next hop, or one report about one recipient.
struct Copy {
  SteadyTime at;
  SteadyTime read = SteadyTime::max();
  std::string address;  ///< that the gateway delivered to
  /// In the gateway's queue; empty: not known. The upstream may send a message again, so that the
  /// same recipient has it twice under two ids.
  std::string id = {};
};
/// By token, recipient, and what a report says of it (empty: the message itself).
using Copies = std::map<std::tuple<std::string, std::string, std::string>, std::vector<Copy>>;

Copies arrivals_of(const History& history);
Copies reports_of(const History& history);

/// Why somebody could not know that this copy had been taken; empty: everybody could.
std::string excuse_of(const History& history, const Copy& copy);

/// The distant future stays what it is.
inline SteadyTime later(SteadyTime at, Duration by) {
  return at == SteadyTime::max() ? at : at + by;
}

/// The recipient of a mail by its address; null when it has no such.
const SentRecipient* find(const Mail& mail, const std::string& address);

}  // namespace postern::sim
