# What every target of ours is compiled and linked with.
add_library(postern_flags INTERFACE)
target_compile_options(postern_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wthread-safety -Werror=unused-result -Werror=return-type -Werror=switch
  -fno-omit-frame-pointer)
target_compile_definitions(postern_flags INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_include_directories(postern_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/cmake)

set(POSTERN_LINK_OPTIONS -fuse-ld=lld-19)
if(POSTERN_SANITIZE)
  target_compile_options(postern_flags INTERFACE -fsanitize=${POSTERN_SANITIZE} -fno-sanitize-recover=all)
  list(APPEND POSTERN_LINK_OPTIONS -fsanitize=${POSTERN_SANITIZE})
endif()
if(POSTERN_HARDEN)
  target_compile_options(postern_flags INTERFACE
    -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fstack-clash-protection
    -fcf-protection -ftrivial-auto-var-init=zero -flto=thin -fPIE)
  list(APPEND POSTERN_LINK_OPTIONS -flto=thin -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(POSTERN_FUZZ)
  target_compile_options(postern_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
