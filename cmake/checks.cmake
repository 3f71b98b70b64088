# The house's rules as tests: check.NAME runs './dev check NAME', check.self their own tests. Tidy takes too long here;
# ./dev ci runs it on what changed.
foreach(check floors sizes words rfc documents machine format conformance self)
  add_test(NAME check.${check} COMMAND ${CMAKE_SOURCE_DIR}/dev check ${check} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(check.${check} PROPERTIES LABELS check TIMEOUT 120)
endforeach()
