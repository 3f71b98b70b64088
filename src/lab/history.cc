#include "lab/history.h"

#include <algorithm>

namespace postern::lab {

bool Attempt::accepted() const {
  return std::ranges::any_of(recipients,
                             [](const AttemptRecipient& recipient) { return recipient.accepted; });
}

std::string Attempt::outcome() const {
  for (const AttemptRecipient& recipient : recipients)
    if (!recipient.accepted && !recipient.reply.empty()) return recipient.reply;
  if (!failure.empty()) return failure;
  for (const AttemptRecipient& recipient : recipients)
    if (!recipient.reply.empty()) return recipient.reply;
  for (auto line = dialogue.rbegin(); line != dialogue.rend(); ++line)
    if (line->starts_with("S: ")) return line->substr(3);
  return failure;
}

}  // namespace postern::lab
