"""``vs-interp worker``: this machine makes chunks for jobs elsewhere."""

from __future__ import annotations

import os

import click

from .cluster_options import Tls, tls_options


@click.command("worker")
@click.argument("address", metavar="ADDRESS")
@click.option("--device", metavar="N", type=click.IntRange(0), help="The GPU to use, as CUDA counts them.")
@click.option("--host", metavar="HOST", help="The address to listen on, by default the one that reaches ADDRESS.")
@tls_options
def command(address: str, device: int | None, host: str | None, tls: Tls) -> None:
    """Work for the Dask scheduler at ADDRESS until it goes or Ctrl-C is pressed.

    Start one worker a GPU.  It needs the versions of vs-interp, ffmpeg and the runtime that the job was begun with, and
    sees the source under the same path or the one that the job's --map says; both are checked before the first chunk.

    \b
    Examples:
      vs-interp worker tcp://10.0.0.5:8786
      vs-interp worker tcp://10.0.0.5:8786 --device 1
      vs-interp worker tls://10.0.0.5:8786 --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem
    """
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
    from vs_interp.jobs.cluster import serve

    serve(address, host, tls.files, lambda line: click.echo(f"vs-interp: {line}", err=True))
