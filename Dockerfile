# One image for every process of Waybill; the command chooses which.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md ./
COPY waybill waybill
COPY streams streams
COPY plugins plugins
COPY schemas schemas
COPY projections projections
RUN python -m venv /opt/waybill && /opt/waybill/bin/pip install --no-cache-dir .

FROM python:3.11-slim
# Our packages have common names: nothing in the working directory may stand in for them.
ENV PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PATH=/opt/waybill/bin:$PATH WAYBILL_DATA=/data
RUN useradd --create-home waybill && mkdir /data && chown waybill /data
COPY --from=build /opt/waybill /opt/waybill
USER waybill
WORKDIR /home/waybill
VOLUME /data
ENTRYPOINT ["waybill"]
CMD ["--help"]
