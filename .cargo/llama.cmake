# Leaves out a part of llama.cpp that nothing here uses: its `common` library, and the HTTP library that it needs.
# The binding asks for both. .cargo/config.toml names this file to cmake, which runs it after each project().
if (PROJECT_NAME STREQUAL "llama.cpp")
    set(LLAMA_BUILD_COMMON OFF)
endif()
