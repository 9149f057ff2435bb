@echo off
rem Runs a task of tasks.py: makes .venv with the host tools on first use, then hands over to invoke.
setlocal
set "root=%~dp0"
set "root=%root:~0,-1%"
set "venv=%root%\.venv"
fc /b "%root%\host.lock" "%venv%\slipway.lock" >nul 2>&1 && goto run

where git >nul 2>&1 || (
    echo ERROR git is not installed. 1>&2
    echo HINT  Run: winget install Git.Git 1>&2
    exit /b 3
)
if exist "%venv%\" if not exist "%venv%\slipway" (
    echo ERROR %venv% exists, and Slipway did not make it. 1>&2
    echo HINT  Move it away; or install host.lock into an environment of yours and call invoke there. 1>&2
    exit /b 3
)
set "python="
for %%p in ("py -3" python python3) do (
    if not defined python (
        %%~p -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))" >nul 2>&1 && set "python=%%~p"
    )
)
if not defined python (
    echo ERROR No Python 3.9 or newer is installed. 1>&2
    echo HINT  Run: winget install Python.Python.3.12 1>&2
    exit /b 3
)
echo Making .venv with the host tools (once) ... 1>&2
if not exist "%venv%\" mkdir "%venv%"
type nul > "%venv%\slipway"
%python% -m venv "%venv%" || (
    echo ERROR %venv% cannot be made. 1>&2
    echo HINT  Look at the lines above; is there room on the disk? 1>&2
    exit /b 3
)
"%venv%\Scripts\python" -m pip install -qq --disable-pip-version-check --require-hashes --requirement "%root%\host.lock" || (
    echo ERROR The host tools of host.lock cannot be installed. 1>&2
    echo HINT  Look at the lines above. Behind a proxy set HTTPS_PROXY; behind one that opens TLS, PIP_CERT. 1>&2
    exit /b 3
)
copy /y "%root%\host.lock" "%venv%\slipway.lock" >nul
:run
"%venv%\Scripts\python" -m invoke --search-root "%root%" %*
exit /b %errorlevel%
