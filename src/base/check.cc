#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace postern {

void check_failed(const char* what, std::source_location where) {
  std::fprintf(stderr, "postern: internal error: check failed at %s:%u: %s\n", where.file_name(),
               where.line(), what);
  std::abort();
}

}  // namespace postern
