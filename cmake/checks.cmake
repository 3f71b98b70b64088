# The house's rules as tests: check.NAME runs tools/checks/run NAME, check.self their own tests. Tidy takes too long here;
# ./dev ci runs it on what changed.
find_program(POSTERN_PYTHON NAMES python3.13 python3.12 python3.11 python3 PATHS /usr/bin REQUIRED)
foreach(check floors sizes words rfc documents machine format self)
  add_test(NAME check.${check} COMMAND ${POSTERN_PYTHON} -B ${CMAKE_SOURCE_DIR}/tools/checks/run ${check}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(check.${check} PROPERTIES LABELS check TIMEOUT 120)
endforeach()
