#pragma once

#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace postern::app {

// What a server's reply says, for commands that show it: a member that is missing, or of another
// type, as a server of another version may write it, is empty.

/// Printable, and bounded.
std::string text_of(const boost::json::object& from, std::string_view key);
double number_of(const boost::json::object& from, std::string_view key);
bool flag_of(const boost::json::object& from, std::string_view key);
const boost::json::array& array_of(const boost::json::object& from, std::string_view key);
const boost::json::object& object_of(const boost::json::object& from, std::string_view key);

}  // namespace postern::app
