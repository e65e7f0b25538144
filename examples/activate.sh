# Sourced by the other scripts: activates the checkout's .venv unless an environment is active, and finds ffmpeg.
if ! command -v vspipe >/dev/null && [ -x "$examples/../.venv/bin/vspipe" ]; then
  . "$examples/../.venv/bin/activate"
fi
command -v vspipe >/dev/null || { echo "vspipe was not found: activate the environment in which vs-interp is installed" >&2; exit 2; }
ffmpeg=$(command -v ffmpeg || python -c "from vs_interp.films.ffmpeg import find_ffmpeg; print(find_ffmpeg())")
