#pragma once

#include <unordered_map>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "io/descriptors.h"
#include "io/task.h"

namespace postern::io {

/// A level-triggered epoll set inside Asio's, so that a watch costs one system call. Must end
/// before its shard.
class RealDescriptors final : public Descriptors {
 public:
  explicit RealDescriptors(const Executor& executor);
  RealDescriptors(const RealDescriptors&) = delete;
  RealDescriptors& operator=(const RealDescriptors&) = delete;

  WatchId watch(int descriptor, Readiness wanted, Watcher& watcher) override;
  void unwatch(WatchId id) override;

 private:
  struct Watch {
    int descriptor;
    Watcher* watcher;
    Readiness wanted;
  };
  void wait();
  void poll();

  boost::asio::posix::basic_stream_descriptor<Executor> set_;
  std::unordered_map<WatchId, Watch> watches_;
  WatchId last_id_ = 0;
};

}  // namespace postern::io
