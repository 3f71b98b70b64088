#include "app/privileges.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"

namespace postern::app {
namespace {

struct Account {
  uid_t user = 0;
  gid_t group = 0;
};

Result<Account> find_account(const std::string& user) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> strings{};
  const int error = getpwnam_r(user.c_str(), &entry, strings.data(), strings.size(), &found);
  if (error == 0 && found != nullptr) return Account{entry.pw_uid, entry.pw_gid};
  return operator_failure(
      Cause::not_found,
      fmt::format("there is no user \"{}\" on this system; create it (adduser --system --group "
                  "{}), or change [server] user",
                  printable(user), printable(user)));
}

std::unexpected<Error> refused(const std::string& user, const char* step, int error) {
  return operator_failure(
      Cause::no_permission,
      fmt::format(
          "cannot become the user \"{}\" ({}: {}); start postern as root, or leave [server] "
          "user empty",
          printable(user), step, std::strerror(error)));
}

}  // namespace

Result<> give_to_user(const std::string& path, const std::string& user) {
  TRY(const Account account, find_account(user));
  if (geteuid() != 0) return {};
  if (chown(path.c_str(), account.user, account.group) == 0) return {};
  return operator_failure(
      Cause::no_permission,
      fmt::format("cannot give {} to the user \"{}\": {}; do it yourself (chown -R {} {})",
                  printable(path), printable(user), std::strerror(errno), printable(user),
                  printable(path)));
}

Result<> become_user(const std::string& user) {
  TRY(const Account account, find_account(user));
  if (geteuid() == account.user && getuid() == account.user) return {};
  // The order matters: without root the groups could no longer be changed.
  if (initgroups(user.c_str(), account.group) != 0) return refused(user, "initgroups", errno);
  if (setgid(account.group) != 0) return refused(user, "setgid", errno);
  if (setuid(account.user) != 0) return refused(user, "setuid", errno);
  // A server that only believes it has dropped root is worse than one that stops.
  if (account.user != 0) CHECK(setuid(0) != 0);
  return {};
}

Result<> become_owner_of(const std::string& path) {
  struct stat status{};
  if (geteuid() != 0 || stat(path.c_str(), &status) != 0 || status.st_uid == 0) return {};
  if (setgroups(0, nullptr) == 0 && setgid(status.st_gid) == 0 && setuid(status.st_uid) == 0)
    return {};
  return operator_failure(Cause::no_permission,
                          fmt::format("cannot become the owner of {} (user {}): {}",
                                      printable(path), status.st_uid, std::strerror(errno)));
}

std::uint64_t raise_open_files_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

}  // namespace postern::app
