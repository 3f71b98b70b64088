#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Domain names in the one form that dns::Answer describes: lower case, no trailing dot, odd bytes
/// escaped.
namespace postern::dns {

/// RFC 1035 section 2.3.4: a label holds at most 63 bytes, a name 255 with its length bytes.
inline constexpr std::size_t label_bytes_max = 63;
inline constexpr std::size_t name_wire_bytes_max = 255;

/// Reads presentation form (with \DDD and \. escapes, with or without the trailing dot) and writes
/// it in our form. nullopt when it is no name: empty label, label or name too long, broken escape.
/// "" and "." are the root.
std::optional<std::string> normalize_name(std::string_view text);

/// RFC 1035 section 3.1: the name as length-prefixed labels, uncompressed, ending in the root's 0.
std::optional<std::string> name_to_wire(std::string_view text);

/// Appends one label's bytes, lower-cased and escaped, after a dot when `name` is not empty.
void append_label(std::string& name, std::string_view label_bytes);

/// The name without its first label; "" for a single label.
std::string_view parent_name(std::string_view name);

/// Whether a name in our form may be a host's: RFC 1123 section 2.1 letters, digits and inner
/// hyphens; at least two labels; the last one not all digits, so that no address in text passes.
/// DEVIATION(RFC 1123): underscores are taken too, as Postfix does. Hosts are named so, and the
/// name is believed only when its own zone confirms it.
bool is_host_name(std::string_view name);

}  // namespace postern::dns
