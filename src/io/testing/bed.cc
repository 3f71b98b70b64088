#include "io/testing/bed.h"

#include <cstdlib>

#include "base/check.h"

namespace postern::io {

RealBed::RealBed() : directory_(std::filesystem::temp_directory_path() / "postern-test-XXXXXX") {
  CHECK(::mkdtemp(directory_.data()) != nullptr);
  auto shard = RealShard::create({.directory = directory_ + "/spool"});
  CHECK(shard.has_value());
  shard_ = std::move(*shard);
}

RealBed::~RealBed() {
  shard_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace postern::io
