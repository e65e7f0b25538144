# Sourced by the other scripts: activates the checkout's .venv where nothing is activated, and finds an ffmpeg.
if ! command -v vspipe >/dev/null && [ -x "$examples/../.venv/bin/vspipe" ]; then
  . "$examples/../.venv/bin/activate"
fi
command -v vspipe >/dev/null || { echo "vspipe is not found: activate the environment that has vs-interp" >&2; exit 2; }
ffmpeg=$(command -v ffmpeg || python -c "from vs_interp.films.ffmpeg import find_ffmpeg; print(find_ffmpeg())")
