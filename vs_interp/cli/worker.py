"""``vs-interp worker``: make chunks for jobs of other machines."""

from __future__ import annotations

import os

import click

from .cluster_options import Tls, tls_options
from .options import Whole


@click.command("worker")
@click.argument("address", metavar="ADDRESS")
@click.option("--device", metavar="N", type=Whole(0), help="CUDA number of the GPU to use.")
@click.option("--host", metavar="HOST", help="Address to listen on.  [default: the one that reaches ADDRESS]")
@tls_options
def command(address: str, device: int | None, host: str | None, tls: Tls) -> None:
    """Make chunks for the jobs of other machines.

    The worker serves the Dask scheduler at ADDRESS until that ends or Ctrl-C is pressed.  Start one worker per GPU.
    It needs the same versions of vs-interp, ffmpeg and the runtime as the machine that started the job, and must find
    the source under the same path or the one given by the job's --map.  Both are checked before the first chunk.

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
