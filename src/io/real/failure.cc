#include "io/real/failure.h"

#include <cerrno>
#include <fmt/format.h>
#include <system_error>

namespace postern::io {
namespace {

std::string describe(int error_number, std::string_view doing) {
  return fmt::format("{}: {}", doing, std::generic_category().message(error_number));
}

}  // namespace

std::unexpected<Error> socket_failure(int error_number, std::string_view doing) {
  std::string what = describe(error_number, doing);
  switch (error_number) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return peer_failure(Cause::closed, std::move(what));
    case ETIMEDOUT:
      return peer_failure(Cause::timed_out, std::move(what));
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
      return peer_failure(Cause::refused, std::move(what));
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return our_failure(Cause::limit, std::move(what));
    case EADDRNOTAVAIL:
      return our_failure(Cause::other, std::move(what));
    case ENOENT:
      return peer_failure(Cause::not_found, std::move(what));
    case EACCES:
    case EPERM:
      return our_failure(Cause::no_permission, std::move(what));
    default:
      return peer_failure(Cause::other, std::move(what));
  }
}

std::unexpected<Error> disk_failure(int error_number, std::string_view doing) {
  std::string what = describe(error_number, doing);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return our_failure(Cause::no_space, std::move(what));
    case ENOENT:
    case ENOTDIR:
      return our_failure(Cause::not_found, std::move(what));
    case EEXIST:
      return our_failure(Cause::in_use, std::move(what));
    case EACCES:
    case EPERM:
    case EROFS:
      return our_failure(Cause::no_permission, std::move(what));
    case EMFILE:
    case ENFILE:
      return our_failure(Cause::limit, std::move(what));
    default:
      return our_failure(Cause::other, std::move(what));
  }
}

std::unexpected<Error> listen_failure(int error_number, std::string_view doing) {
  std::string what = describe(error_number, doing);
  switch (error_number) {
    case EADDRINUSE:
      return operator_failure(Cause::in_use, std::move(what));
    case EACCES:
    case EPERM:
      return operator_failure(Cause::no_permission, std::move(what));
    default:
      return operator_failure(Cause::other, std::move(what));
  }
}

std::unexpected<Error> closed_by_us() {
  return our_failure(Cause::cancelled, "the connection was closed on our side");
}

std::unexpected<Error> deadline_passed(std::string_view doing) {
  return peer_failure(Cause::timed_out, fmt::format("{}: no answer in time", doing));
}

}  // namespace postern::io
