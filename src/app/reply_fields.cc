#include "app/reply_fields.h"

#include <boost/json/value.hpp>

#include "base/text.h"

namespace postern::app {

namespace json = boost::json;

std::string text_of(const json::object& from, std::string_view key) {
  constexpr std::size_t length_max = 300;
  const json::value* value = from.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return printable(std::string_view(value->get_string()), length_max);
}

double number_of(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains(key);
  boost::system::error_code error;
  const double number = value == nullptr ? 0 : value->to_number<double>(error);
  return error ? 0 : number;
}

bool flag_of(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::array& array_of(const json::object& from, std::string_view key) {
  static const json::array nothing;
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : nothing;
}

const json::object& object_of(const json::object& from, std::string_view key) {
  static const json::object nothing;
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_object() ? value->get_object() : nothing;
}

}  // namespace postern::app
