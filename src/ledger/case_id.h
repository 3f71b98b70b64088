#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace postern::ledger {

inline constexpr std::size_t case_id_bytes_max = 16;
inline constexpr std::size_t case_ids_meant_max = 64;

/// The case ids that somebody can have meant who typed this, the likeliest first: as it was typed,
/// in upper case, without "case", "#" and brackets; then with O, 0, Q and D, or I, 1, L and J, in
/// each other's place. Empty: it is no case id, being empty, too long, or not of letters and
/// digits. At most `case_ids_meant_max`.
std::vector<std::string> case_ids_meant(std::string_view typed);

}  // namespace postern::ledger
