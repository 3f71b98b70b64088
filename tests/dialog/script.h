#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace postern::dialog {

/// One line of a dialog: a word and what stands behind it. README.md explains the words.
struct Line {
  std::size_t number = 0;
  std::string word;
  std::string text;
};

/// A dialog file taken apart: what must be known before it starts, then the play.
struct Script {
  std::string path;
  std::string zone;
  std::vector<Line> config;  ///< word: the key
  std::vector<Line> play;
};

Result<Script> read_script(const std::string& path);
/// "\r", "\n", "\t", "\0", "\\" and "\xHH"; anything else stands for itself.
std::string unescape(std::string_view text);

}  // namespace postern::dialog
