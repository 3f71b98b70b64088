#include <cstdio>
#include <string>
#include <vector>

#include "app/command_line.h"

int main(int argc, char** argv) {
  using namespace postern::app;
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Invocation invocation = parse_command_line(commands(), words);
  std::fputs(invocation.output.c_str(), stdout);
  std::fputs(invocation.error.c_str(), stderr);
  if (invocation.command == nullptr) return static_cast<int>(invocation.exit_code);
  const ExitCode code = invocation.command->run(invocation.arguments);
  return static_cast<int>(code);
}
