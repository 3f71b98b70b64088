#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "app/queue_commands.h"
#include "base/text.h"

namespace postern::app {
namespace {

// So many ids of a kind are named; the rest is counted.
constexpr std::size_t ids_shown_max = 20;

std::uint64_t number_of(const boost::json::object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  return value != nullptr && value->is_int64() ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

std::string text_of(const boost::json::object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::string_view reason_text(std::string_view why) {
  if (why == "in_delivery") return "being delivered just now; run this again for them";
  if (why == "held") return "held; `postern queue release` frees them";
  if (why == "not_held") return "not held";
  if (why == "no_sender")
    return "reports, whose sender cannot be told; `postern queue remove` deletes them";
  if (why == "damaged")
    return "damaged; they are set aside at the next start, and the log says why";
  return why;
}

std::string id_list(const std::vector<std::string>& ids) {
  std::string out;
  for (std::size_t i = 0; i < ids.size() && i < ids_shown_max; ++i)
    out += (i == 0 ? "" : " ") + printable(ids[i], 40);
  return ids.size() > ids_shown_max ? out + " ..." : out;
}

std::string counted(std::size_t count) {
  return fmt::format("{} message{}", count, count == 1 ? "" : "s");
}

}  // namespace

void ChangeSum::add(const boost::json::object& reply) {
  chosen += number_of(reply, "chosen");
  changed += number_of(reply, "changed");
  const auto* left = reply.if_contains("unchanged");
  if (left != nullptr && left->is_array())
    for (const auto& entry : left->get_array())
      if (const auto* message = entry.if_object())
        unchanged[text_of(*message, "why")].push_back(text_of(*message, "id"));
  const auto* absent = reply.if_contains("missing");
  if (absent == nullptr || !absent->is_array()) return;
  for (const auto& id : absent->get_array())
    if (id.is_string()) missing.emplace_back(id.get_string());
}

bool ChangeSum::incomplete() const {
  if (!missing.empty()) return true;
  for (const auto& [why, ids] : unchanged)
    if (why != "held" && why != "not_held") return true;
  return false;
}

boost::json::object ChangeSum::json() const {
  boost::json::array left;
  for (const auto& [why, ids] : unchanged)
    for (const std::string& id : ids) left.push_back({{"id", id}, {"why", why}});
  boost::json::array absent;
  for (const std::string& id : missing) absent.emplace_back(id);
  return {{"ok", true},
          {"chosen", chosen},
          {"changed", changed},
          {"unchanged", std::move(left)},
          {"missing", std::move(absent)}};
}

std::string ChangeSum::text(std::string_view done) const {
  std::string out = fmt::format("{} {}\n", counted(changed), done);
  for (const auto& [why, ids] : unchanged)
    out += fmt::format("{} left as they were: {}\n  {}\n", counted(ids.size()), reason_text(why),
                       id_list(ids));
  if (!missing.empty())
    out += fmt::format("{} not there:\n  {}\n", counted(missing.size()), id_list(missing));
  return out;
}

}  // namespace postern::app
