#include "support/source_path.h"

namespace postern {

std::string source_path(std::string_view relative) {
  return std::string(POSTERN_SOURCE_DIR "/").append(relative);
}

}  // namespace postern
