#include "io/real/real_programs.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "io/notify.h"

namespace postern::io {
namespace {

/// A process of ours, until it was waited for; killed when it was not.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    wait();
  }

  /// 0 or an errno. Blocks until the program runs.
  int start(const Programs::Call& call);
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// With its process group, whose leader it is.
  void kill() const { ::kill(-pid_, SIGKILL); }
  /// Its wait status; blocks until it has ended.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/// What posix_spawn is told; freed at the end.
struct Setup {
  Setup() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // Sockets, the store and the log are none of its business.
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&files, "/");
  }
  ~Setup() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t files{};
};

int Child::start(const Programs::Call& call) {
  std::vector<std::string> words = call.words;
  std::vector<std::string> environment;
  environment.reserve(call.environment.size());
  for (const auto& [name, value] : call.environment)
    environment.push_back(fmt::format("{}={}", name, value));
  const Setup setup;
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, words.front().c_str(), &setup.files, &setup.attributes,
                                  pointers(words).data(), pointers(environment).data());
  if (error == 0) pid_ = pid;
  return error;
}

std::unexpected<Error> cannot_run(const Programs::Call& call, int error) {
  return operator_failure(
      Cause::other, fmt::format("{} cannot be run: {}", call.words.front(), std::strerror(error)));
}

/// glibc 2.36 declares pidfd_open without C linkage.
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

/// Resumes when the process has ended (true), or at the deadline.
Task<bool> ended_by(Executor executor, Clock& clock, int pidfd, Deadline deadline) {
  struct Shared {
    explicit Shared(Clock& clock) : changed(clock) {}
    Notify changed;
    bool ended = false;
  };
  // The descriptor's handler may come after this frame is gone.
  const auto shared = std::make_shared<Shared>(clock);
  boost::asio::posix::basic_stream_descriptor<Executor> descriptor(executor, pidfd);
  descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read,
                        [shared](const boost::system::error_code& error) {
                          if (error) return;
                          shared->ended = true;
                          shared->changed.wake_all();
                        });
  while (!shared->ended && co_await shared->changed.wait(deadline)) {
  }
  co_return shared->ended;
}

}  // namespace

/// Its place among those that stop() kills.
class RealPrograms::Running {
 public:
  Running(RealPrograms& owner, const Child& child) : owner_(owner), pid_(child.pid()) {
    owner_.running_.insert(pid_);
    if (owner_.stopped_) child.kill();
  }
  ~Running() { owner_.running_.erase(pid_); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  RealPrograms& owner_;
  pid_t pid_;
};

void RealPrograms::stop() {
  stopped_ = true;
  for (const pid_t pid : running_) ::kill(-pid, SIGKILL);
}

Task<Result<int>> RealPrograms::run(Call call, Deadline deadline) {
  if (call.words.empty()) co_return operator_failure(Cause::other, "no program is named");
  if (stopped_)
    co_return operator_failure(Cause::other,
                               fmt::format("{} was not run: the server ends", call.words.front()));
  Child child;
  int error = 0;
  co_await worker_.run([&] { error = child.start(call); });
  if (error != 0) co_return cannot_run(call, error);
  const Running running(*this, child);
  const int pidfd = open_pidfd(child.pid());
  if (pidfd < 0) co_return cannot_run(call, errno);
  const bool ended = co_await ended_by(executor_, clock_, pidfd, deadline);
  if (!ended) child.kill();
  const int status = child.wait();
  if (!ended)
    co_return operator_failure(
        Cause::timed_out, fmt::format("{} did not end in time and was killed", call.words.front()));
  if (WIFSIGNALED(status))
    co_return operator_failure(Cause::other, fmt::format("{} was ended by signal {}",
                                                         call.words.front(), WTERMSIG(status)));
  co_return WEXITSTATUS(status);
}

}  // namespace postern::io
