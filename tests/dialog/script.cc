#include "script.h"

#include <fstream>

#include "base/text.h"

namespace postern::dialog {

Result<Script> read_script(const std::string& path) {
  std::ifstream file(path);
  if (!file) return operator_failure(Cause::not_found, "cannot read " + path);
  Script script;
  script.path = path;
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    if (trim(text).empty() || text.starts_with('#')) continue;
    const std::size_t blank = text.find(' ');
    Line line{number, text.substr(0, blank),
              blank == std::string::npos ? "" : text.substr(blank + 1)};
    if (line.word == "zone") {
      script.zone += line.text + "\n";
    } else if (line.word == "config") {
      const std::size_t equals = line.text.find('=');
      if (equals == std::string::npos)
        return operator_failure(Cause::other, "config needs KEY = VALUE");
      line.word = trim(std::string_view(line.text).substr(0, equals));
      line.text = trim(std::string_view(line.text).substr(equals + 1));
      script.config.push_back(line);
    } else {
      script.play.push_back(line);
    }
  }
  return script;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
    }
  }
  return out;
}

}  // namespace postern::dialog
