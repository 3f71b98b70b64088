#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace postern::io {

/// One shard: a single-threaded io_context. In the real world it owns descriptors; in the simulated
/// one it is only the queue of what is ready.
using Executor = boost::asio::io_context::executor_type;

/// A coroutine on one shard. Starts when awaited; runs on its awaiter's shard. Never throws (house
/// rule 4).
template <typename T = void>
using Task = boost::asio::awaitable<T, Executor>;

/// How an implementation of the seam is told that an operation has ended.
template <typename... Args>
using Completion = boost::asio::any_completion_handler<void(Args...)>;

}  // namespace postern::io
